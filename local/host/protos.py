"""Stand-ins for the messages of Azure's FunctionRpc.proto that `azure_functions_runtime` 1.3.0 reads and makes.

The runtime is handed this module in place of the generated one. It only builds messages with keywords, reads their
fields and asks `WhichOneof`; so a message is a namespace, and a field that protobuf would default has its default here.
"""

from collections.abc import Sequence
from enum import IntEnum
from types import SimpleNamespace
from typing import ClassVar


class TypedData(SimpleNamespace):
    """One value, set under the name of its kind: string, json, bytes, http, int, double."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 -- the name that protobuf gives it
        return next((kind for kind, value in vars(self).items() if value is not None), None)


class ParameterBinding(SimpleNamespace):
    def WhichOneof(self, _group: str) -> str:  # noqa: N802 -- the name that protobuf gives it
        return "data"


class BindingInfo(SimpleNamespace):
    """`in`, the third direction, is a Python keyword; the runtime never names it."""

    out: ClassVar = 1
    inout: ClassVar = 2
    undefined: ClassVar = 0


class StatusResult(SimpleNamespace):
    Failure: ClassVar = 0
    Success: ClassVar = 1
    exception: "RpcException | None" = None


class RpcException(SimpleNamespace):
    pass


class RpcHttp(SimpleNamespace):
    cookies: "Sequence[RpcHttpCookie] | None" = None


class RpcHttpCookie(SimpleNamespace):
    SameSite: ClassVar = IntEnum("SameSite", {"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class NullableString(SimpleNamespace):
    pass


class NullableBool(SimpleNamespace):
    pass


class NullableDouble(SimpleNamespace):
    pass


class NullableTimestamp(SimpleNamespace):
    pass


class Timestamp(SimpleNamespace):
    pass


class RpcRetryOptions(SimpleNamespace):
    delay_interval: ClassVar = None
    minimum_interval: ClassVar = None
    maximum_interval: ClassVar = None


class RpcFunctionMetadata(SimpleNamespace):
    pass


class WorkerMetadata(SimpleNamespace):
    pass


class WorkerInitResponse(SimpleNamespace):
    pass


class FunctionMetadataResponse(SimpleNamespace):
    pass


class FunctionLoadResponse(SimpleNamespace):
    pass


class InvocationResponse(SimpleNamespace):
    return_value: TypedData | None = None
    output_data: Sequence[ParameterBinding] = ()


class FunctionEnvironmentReloadResponse(SimpleNamespace):
    """Never asked for: only Linux Consumption's placeholder mode reloads an environment."""
