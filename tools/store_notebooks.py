"""Write what the committed reports' notebooks show into their templates; run by `make notebooks` after a change.

The notebook on power belongs to no report, so it is run here.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import papermill

from mtvp_eval.pipeline.pool import TEMPLATE as POOLED_TEMPLATE
from mtvp_eval.pipeline.pool_reading import POOLED
from mtvp_eval.pipeline.publish import NOTEBOOKS
from mtvp_eval.pipeline.publish_open_data import TEMPLATE
from mtvp_eval.report.render import store_outputs

ROOT = Path(__file__).resolve().parent.parent

SHOWN = {**dict.fromkeys(NOTEBOOKS, "example"), POOLED_TEMPLATE: POOLED, TEMPLATE: "open_data"}

for name, region in SHOWN.items():
    store_outputs(ROOT / "reports" / region / f"{name}.ipynb", ROOT / "notebooks" / f"{name}.ipynb")
    print(f"notebooks/{name}.ipynb shows what reports/{region}/{name}.ipynb shows")

POWER = ROOT / "notebooks" / "region_power.ipynb"
with TemporaryDirectory() as folder:
    executed = Path(folder) / POWER.name
    papermill.execute_notebook(str(POWER), str(executed), cwd=str(POWER.parent), progress_bar=False)
    store_outputs(executed, POWER)
print(f"notebooks/{POWER.name} was run anew")
