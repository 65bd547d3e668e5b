"""One invocation from its inputs to its written outputs."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from azure.core.exceptions import AzureError

from local.host.activity import Activity
from local.host.function import FunctionDefinition
from local.host.log import Log, LogLine
from local.host.process import Answer, Call, Failure
from local.host.queues import Queues
from local.host.wire import Datum
from local.host.workers import Workers


@dataclass(slots=True)
class Invocations:
    """Runs functions. What the app, its worker or an output fails with is an answer, not an exception."""

    workers: Workers
    queues: Queues
    activity: Activity
    log: Log
    count: int = 0

    async def run(
        self,
        function: FunctionDefinition,
        datum: Datum,
        metadata: Mapping[str, Datum] | None = None,
        *,
        retry: int = 0,
    ) -> Answer:
        """Run `function` once with `datum` as its trigger's value, and write what it put out.

        `metadata` is the trigger's; `retry` counts the attempts before this one. Raises HostError when no worker
        starts any more.
        """
        call = Call(
            id=str(uuid.uuid4()),
            function_name=function.name,
            function_id=function.id,
            inputs={function.trigger.parameter: datum},
            metadata=metadata or {},
            retry=retry,
            max_retries=function.retry.count if function.retry else 0,
        )
        started = time.perf_counter()
        with self.activity.one():
            self.count += 1
            answer = await self._invoke(function, call)
        self._tell(call, answer.failure, time.perf_counter() - started)
        return answer

    async def _invoke(self, function: FunctionDefinition, call: Call) -> Answer:
        try:
            answer = await self.workers.invoke(call)
            for name, queue in function.outputs.items():
                if name in answer.outputs:
                    for message in messages_of(answer.outputs[name]):
                        await self.queues.put(queue, message)
        except (AzureError, UnicodeDecodeError) as error:
            return Answer(Failure(f"the output was not written: {type(error).__name__}: {error}"))
        return answer

    def _tell(self, call: Call, failure: Failure | None, seconds: float) -> None:
        end = f"Id={call.id}, Duration={seconds * 1000:.0f}ms)"
        if failure is None:
            self.log(LogLine(call.function_name, "Information", f"Executed '{call.function_name}' (Succeeded, {end}"))
        else:
            told = f"Executed '{call.function_name}' (Failed, {end}\n{failure.message}\n{failure.stack_trace}"
            self.log(LogLine(call.function_name, "Error", told.rstrip()))


def messages_of(datum: Datum) -> tuple[bytes, ...]:
    """The queue messages that one output value makes: a JSON array makes one per element, anything else is one.

    A `func.QueueMessage` arrives as an object with id and body and is written as that object: the extension knows no
    other reading of an object (QueuesExtensionConfigProvider.cs at 32b69ec, ConvertJObjectToCloudQueueMessage).
    """
    if datum.kind != "json":
        return (datum.to_bytes(),)
    value = json.loads(datum.to_bytes())
    elements = value if isinstance(value, list) else [value]
    texts = (element if isinstance(element, str) else json.dumps(element) for element in elements)
    return tuple(text.encode() for text in texts)
