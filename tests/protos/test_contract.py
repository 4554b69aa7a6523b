"""The contract keeps buf's style and comments everything."""

import importlib.resources
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet, SourceCodeInfo
from grpc_tools import protoc

from protos import generate

_NESTED = {"message_type": 4, "enum_type": 5, "service": 6, "field": 2, "value": 2, "method": 2}


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    output = tmp_path_factory.mktemp("descriptors") / "set.bin"
    include = str(importlib.resources.files("grpc_tools") / "_proto")
    paths = [str(path) for path in generate.contracts()]
    arguments = [f"--proto_path={generate.ROOT}", f"--proto_path={include}", f"--descriptor_set_out={output}"]
    assert protoc.main(["protoc", *arguments, "--include_source_info", *paths]) == 0
    (file,) = FileDescriptorSet.FromString(output.read_bytes()).file
    return file


def test_the_package_is_versioned_and_matches_its_folder(contract: FileDescriptorProto) -> None:
    assert contract.package == "attendance.v1"
    assert Path(contract.name).parent == Path("protos/attendance/v1")


def test_every_call_has_its_own_request_and_response(contract: FileDescriptorProto) -> None:
    for service in contract.service:
        assert service.name.endswith("Service")
        for method in service.method:
            assert method.input_type == f".attendance.v1.{method.name}Request"
            assert method.output_type == f".attendance.v1.{method.name}Response"


def test_enums_have_an_unspecified_zero_and_prefixed_values(contract: FileDescriptorProto) -> None:
    for enum in contract.enum_type:
        prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).removeprefix("_")
        assert enum.value[0].name == f"{prefix}_UNSPECIFIED"
        assert enum.value[0].number == 0
        assert all(value.name.startswith(f"{prefix}_") for value in enum.value)


def test_everything_has_a_comment(contract: FileDescriptorProto) -> None:
    comments = {tuple(place.path): place for place in contract.source_code_info.location}
    for path, name in _elements(contract):
        place = comments.get(path, SourceCodeInfo.Location())
        assert place.leading_comments.strip(), f"{name} has no comment"


def _elements(contract: FileDescriptorProto) -> list[tuple[tuple[int, ...], str]]:
    found: list[tuple[tuple[int, ...], str]] = []
    for kind, part in (("message_type", "field"), ("enum_type", "value"), ("service", "method")):
        for place, element in enumerate(getattr(contract, kind)):
            path = (_NESTED[kind], place)
            found.append((path, element.name))
            if isinstance(element, DescriptorProto):
                found += [
                    ((*path, 8, i), f"{element.name}.{choice.name}") for i, choice in enumerate(element.oneof_decl)
                ]
            found += [
                ((*path, _NESTED[part], i), f"{element.name}.{inner.name}")
                for i, inner in enumerate(getattr(element, part))
            ]
    return found
