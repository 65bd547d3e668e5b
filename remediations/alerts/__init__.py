"""The alert map: what a confirmed alert leads to, one module of rows for each page of alerts."""

import importlib
import pkgutil

from shared.domain.incident import AlertRow


def load_alerts() -> tuple[AlertRow, ...]:
    """Every row, those with exact types before those with patterns. Importing the package alone loads none."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    rows: list[AlertRow] = [row for module in modules for row in module.ROWS]
    return tuple(sorted(rows, key=_has_pattern))


def _has_pattern(row: AlertRow) -> bool:
    return any("*" in each for each in row.types)
