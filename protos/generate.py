"""`python -m protos.generate [--check]`: the Python code of the gRPC contract, made from the .proto files here.

Needs grpcio-tools, and no network: the compiler and Google's own .proto files are inside that package.
"""

import importlib.resources
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def contracts(root: Path = ROOT) -> list[Path]:
    """The .proto files, relative to `root`, sorted."""
    return sorted(path.relative_to(root) for path in (root / "protos").rglob("*.proto"))


def compile_contracts(output: Path, root: Path = ROOT) -> list[Path]:
    """Write the code of every contract under `output`, in the same folders as the contracts.

    Returns:
        The files written, relative to `output`.

    Raises:
        click.ClickException: a contract does not compile (the compiler has printed why).
    """
    from grpc_tools import protoc  # noqa: PLC0415 - only developers have it

    googles = importlib.resources.files("grpc_tools") / "_proto"
    files = contracts(root)
    with importlib.resources.as_file(googles) as include:
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={root}",
                f"--proto_path={include}",
                f"--python_out={output}",
                f"--pyi_out={output}",
                f"--grpc_python_out={output}",
                *map(str, files),
            ]
        )
    if status:
        raise click.ClickException("the contract does not compile (see above)")
    return [path.with_name(path.stem + suffix) for path in files for suffix in SUFFIXES]


def outdated(root: Path = ROOT) -> list[Path]:
    """The generated files under `root` that are missing or not what the contracts give, relative to `root`."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        return [path for path in compile_contracts(fresh, root) if _text(root / path) != _text(fresh / path)]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when the generated code is not up to date.")
def main(check: bool) -> None:
    """Generate the Python code of the gRPC contract."""
    if not check:
        for path in compile_contracts(ROOT):
            click.echo(path)
        return
    stale = outdated()
    if stale:
        raise click.ClickException(f"run `make protos`: not up to date: {', '.join(map(str, stale))}")
    click.echo("The generated code is up to date.")


if __name__ == "__main__":
    main()
