"""A call's handler behind one that admits the caller first, and only then reads what was sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError

from attendance.errors import AttendanceError

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = Callable[[object, Context], Awaitable[object] | AsyncIterator[object]]


class CallRefusedError(AttendanceError):
    """The call ends with a status; the message is for people."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        """Refuse.

        Args:
            status: what the caller's program is told.
            details: what a person is told.
        """
        super().__init__(details)
        self.status = status


def guarded(handler: Handler, admit: Callable[[str], Awaitable[None]], malformed: Callable[[str], None]) -> Handler:
    """A handler that admits the caller first, or ends the call at once.

    It works here and not in the interceptor, because only a handler knows the caller's address. Towards gRPC every call
    is one that streams in, which on the wire is the same: of such a call nothing is read before it is asked for. The
    one request of a unary call gRPC would receive and read before any code of ours, and would answer UNKNOWN with a
    traceback when that fails; and for one that never comes it would wait without end.

    Args:
        handler: of the call.
        admit: given the caller's address as gRPC writes it; raises `CallRefusedError`.
        malformed: told of the address that sent a message which is none of the contract; the call ends with
            INVALID_ARGUMENT.
    """
    behaviour = cast("Behaviour", _behaviour(handler))

    async def guard(requests: AsyncIterator[object], context: Context) -> object:
        try:
            await admit(context.peer())
        except CallRefusedError as error:
            await context.abort(error.status, str(error))
        try:
            request = requests if handler.request_streaming else await anext(requests, None)
            if request is not None:
                return await _answer(behaviour(request, context), context)
            details = "the call brought no message"
        except DecodeError:
            malformed(context.peer())
            details = "a message is none of this contract"
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)

    make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    return cast("Callable[..., Handler]", make)(guard, handler.request_deserializer, handler.response_serializer)


async def _answer(answers: Awaitable[object] | AsyncIterator[object], context: Context) -> object:
    """What a handler gives back; one that yields its answers has them written."""
    if isinstance(answers, Awaitable):
        return await answers
    async for answer in answers:
        await context.write(answer)
    return None


def _behaviour(handler: Handler) -> object:
    kinds = {
        (False, False): handler.unary_unary,
        (False, True): handler.unary_stream,
        (True, False): handler.stream_unary,
        (True, True): handler.stream_stream,
    }
    return kinds[handler.request_streaming, handler.response_streaming]
