"""An app that cannot be imported, as one whose requirements were forgotten."""

import azure.functions as func
from no_such_package_for_sure import anything  # type: ignore[import-not-found]  # that it is not there is the point

app = func.FunctionApp()
app.register_functions(anything)
