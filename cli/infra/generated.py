"""The files of infra/generated/ as they must be."""

import json
from pathlib import Path

from cli.infra.alerts import alert_kinds
from cli.infra.app import app_names
from cli.infra.events import event_filters
from cli.infra.log import log_shape
from cli.infra.roles import roles
from remediations import load_catalogue
from shared.domain.body import Json

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "infra" / "generated"


def generated() -> dict[str, str]:
    """The text of each file by its name."""
    catalogue = load_catalogue()
    shapes: dict[str, Json] = {
        "alerts.json": alert_kinds(catalogue),
        "app.json": app_names(catalogue),
        "events.json": event_filters(),
        "log.json": log_shape(),
        "roles.json": [role.as_json() for role in roles(catalogue)],
    }
    return {name: json.dumps(shape, indent=2) + "\n" for name, shape in shapes.items()}
