"""Published pooled estimates: recomputed to the printed digit, and checked against themselves."""

from reweigh.reproduction.checks import CHECKS, check_published
from reweigh.reproduction.ledger import VERDICTS, reproduce
from reweigh.reproduction.printed import Printed, agrees, parse_number, parse_p

__all__ = ["CHECKS", "VERDICTS", "Printed", "agrees", "check_published", "parse_number", "parse_p", "reproduce"]
