"""Every claim of a review judged by rule: the table, the JSON and a page each."""

from pathlib import Path

from reweigh.certainty.assess import read_overrides
from reweigh.certainty.thresholds import rules_of
from reweigh.claims.evaluate import evaluate_claims
from reweigh.claims.evidence import Setting
from reweigh.claims.model import Claims, read_claims
from reweigh.claims.pages import claim_page, claims_json, claims_table
from reweigh.console import logged
from reweigh.figures.claims import claim_figure
from reweigh.figures.svg import save
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol.read import load_written
from reweigh.risk_of_bias import load_risk_of_bias

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = snakemake.input.files
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        thresholds, indirectness = rules_of(protocol)
        bias = load_risk_of_bias(snakemake.input.risk_of_bias, snakemake.input.tools)
        setting = Setting(
            read_csv(snakemake.input.effects, protocol.number_columns),
            read_csv(snakemake.input.studies, protocol.number_columns),
            protocol,
            bias,
            thresholds,
            read_overrides(read_texts(files, "certainty_overrides.csv")),
            indirectness,
            read_csv(snakemake.input.units, protocol.number_columns),
        )
        content = b"".join(Path(path).read_bytes() for path in snakemake.input.claims)
        claims = read_claims(content) if content else Claims.none()
        assessed = evaluate_claims(claims.claims, setting)
        fragile = [read_csv(snakemake.input[name]) for name in ("multiverse", "sequential")]
        table = claims_table(assessed, claims, *fragile)
        write_csv(table, snakemake.output.table)
        Path(snakemake.output.json).write_text(claims_json(assessed, claims, table), encoding="utf-8")
        folder = Path(snakemake.output.pages)
        folder.mkdir(parents=True, exist_ok=True)
        published = read_texts(files, "published.csv")
        for found in assessed:
            figure, name = claim_figure(found, protocol), ""
            if figure is not None:
                name = f"{found.claim.id}.svg"
                save(figure, folder / name)
            page = claim_page(found, claims, *fragile, published, name)
            (folder / f"{found.claim.id}.md").write_text(page, encoding="utf-8")
