"""A client that knows nothing but the address, as grpcurl: it learns the contract from the service and calls it."""

import asyncio
import urllib.request
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.parser import text_string_to_metric_families

from recognition_service.access.auth import SERVICE
from tests.recognition_service.campus import Campus, bearer, running, until

HEALTH = "grpc.health.v1.Health"


class LearningClient:
    """Calls unary methods of which it has no generated code."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    def services(self) -> set[str]:
        return set(self._database.get_services())

    def call(self, service: str, method: str, metadata: Any = (), /, **fields: Any) -> Any:
        described = self._pool.FindServiceByName(service).FindMethodByName(method)
        request = GetMessageClass(described.input_type)(**fields)
        ask: Any = self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        return ask(request, metadata=metadata, timeout=30)


async def test_a_client_learns_the_contract_and_calls_it(campus: Campus) -> None:
    async with running(campus.settings) as service:
        await until(lambda: service.engine and service.gallery)

        def learn() -> tuple[set[str], Any, Any]:
            with grpc.insecure_channel(service.address) as channel:
                client = LearningClient(channel)
                health = client.call(HEALTH, "Check", service=SERVICE)
                state = client.call(SERVICE, "GetStatus", bearer(campus.monitoring))
                return client.services(), health, state

        services, health, state = await asyncio.to_thread(learn)
        assert {SERVICE, HEALTH} <= services
        assert health.DESCRIPTOR.full_name == "grpc.health.v1.HealthCheckResponse"
        assert (state.engine.name, state.index.identities) == ("colours", 3)


async def test_every_family_of_metrics_has_a_type_and_a_help(campus: Campus) -> None:
    async with running(campus.settings) as service:

        def fetch() -> tuple[str, str]:
            with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=30) as answer:
                return str(answer.headers["Content-Type"]), str(answer.read().decode())

        kind, text = await asyncio.to_thread(fetch)
    families = [family for family in text_string_to_metric_families(text) if family.name.startswith("attendance_")]
    assert kind.startswith("text/plain")
    assert len(families) > 10
    assert not [family.name for family in families if family.type == "unknown" or not family.documentation]
    for family in (family for family in families if family.type == "histogram"):
        series: dict[tuple[tuple[str, str], ...], list[float]] = {}
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                labels = tuple(item for item in sorted(sample.labels.items()) if item[0] != "le")
                series.setdefault(labels, []).append(sample.value)
        assert series
        assert all(counts == sorted(counts) for counts in series.values())  # Prometheus's buckets are cumulative
