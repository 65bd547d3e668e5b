"""An app with a trigger that the local host does not serve."""

import azure.functions as func

app = func.FunctionApp()


@app.blob_trigger(arg_name="_blob", path="container/{name}", connection="Storage")
def on_blob(_blob: func.InputStream) -> None:
    raise AssertionError("never run")
