"""Ways to break a model's folder."""

import json


def configure(folder, **changes):
    """Change its configuration."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
