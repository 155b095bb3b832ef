"""Many reviews at once: a row per analysis, what came back of RevMan's numbers, what current practice changes."""
