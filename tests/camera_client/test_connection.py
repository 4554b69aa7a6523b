import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from camera_client.connection import ConnectError, Connection, Token

TOKEN = Token.of_value("cam_secret")


@pytest.mark.parametrize("address", ["localhost:50051", "127.0.0.1:1", "127.8.9.1:50051", "[::1]:50051", "LOCALHOST:1"])
def test_this_machine_may_be_called_unencrypted(address: str) -> None:
    assert not Connection(address, token=TOKEN).encrypted


@pytest.mark.parametrize(
    "address", ["10.0.0.5:50051", "recognition.example.edu:443", "[2001:db8::1]:50051", "0.0.0.0:50051", "127.1:50051"]
)
def test_the_token_is_not_sent_unencrypted_to_another_machine(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"unencrypted.*TLS_CA.*ALLOW_PLAINTEXT"):
        Connection(address, token=TOKEN)
    assert Connection(address, token=TOKEN, allow_plaintext=True).address == address
    assert Connection(address, token=TOKEN, tls_ca=tmp_path / "ca.pem").encrypted


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "http://localhost:50051", "dns:///localhost:50051", "localhost:0", "localhost:70000", "::1:50051",
     "127.0.0.1:1,10.0.0.1:2", "unix:/run/x", "dns://10.0.0.1/localhost:50051"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConnectError, match="ATTENDANCE_CAMERA_SERVER"):
        Connection(address, token=TOKEN)


def test_metadata_carries_the_token() -> None:
    assert Connection("localhost:1", token=TOKEN).metadata() == (("authorization", "Bearer cam_secret"),)


def test_metadata_names_the_camera_in_ascii() -> None:
    connection = Connection("localhost:1", token=TOKEN, camera="sala wykładowa 1")
    assert connection.metadata()[1:] == (("attendance-camera", "sala%20wyk%C5%82adowa%201"),)


def test_the_token_is_taken_out_of_texts() -> None:
    assert Connection("localhost:1", token=TOKEN).without_token("no cam_secret here") == "no *** here"


def test_an_operators_token_goes_along_and_is_hidden_likewise() -> None:
    player = Token.of_value("op_player")
    connection = Connection("localhost:1", token=TOKEN, camera="hall", recording=player)
    assert connection.metadata()[-1] == ("attendance-recording-token", "op_player")
    assert connection.without_token("cam_secret and op_player") == "*** and ***"


def test_a_tokens_representation_hides_it() -> None:
    assert "cam_secret" not in repr(TOKEN)


def test_a_token_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("cam_one\n")
    file.chmod(0o600)
    connection = Connection("localhost:1", token=Token.of_file(file))
    with capture_logs() as events:
        connection.check()
    assert events == []
    file.write_text("cam_two\n")
    assert connection.metadata()[0][1] == "Bearer cam_two"


def test_a_token_file_that_all_may_read_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("cam_one")
    file.chmod(0o644)
    with capture_logs() as events:
        Connection("localhost:1", token=Token.of_file(file)).check()
    assert [event["event"] for event in events] == ["token_file_readable_by_all"]
    assert "cam_one" not in str(events)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"two words", "holds no token"),
        (b"cam_one\ncam_two", "holds no token"),
        ("café".encode(), "holds no token"),
        (b"\xff\xfe\x00", "cannot be read: it is no text"),
    ],
)
def test_a_file_that_holds_no_token_is_told_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConnectError, match=f"{file}.*{reason}") as caught:
        Connection("localhost:1", token=Token.of_file(file)).check()
    assert "cam_" not in str(caught.value)


def test_an_absent_token_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="absent cannot be read: No such file"):
        Connection("localhost:1", token=Token.of_file(tmp_path / "absent")).check()


def test_an_empty_token_names_its_setting() -> None:
    with pytest.raises(ConnectError, match="ATTENDANCE_CAMERA_TOKEN"):
        Connection("localhost:1", token=Token.of_value("")).check()


def test_a_wrong_certificate_authority_names_its_setting(tmp_path: Path) -> None:
    absent = Connection("a.example:1", token=TOKEN, tls_ca=tmp_path / "absent.pem")
    with pytest.raises(ConnectError, match=r"ATTENDANCE_CAMERA_TLS_CA: .*absent.pem cannot be read"):
        absent.check()
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("hello" + os.linesep)
    with pytest.raises(ConnectError, match="holds no certificate"):
        Connection("a.example:1", token=TOKEN, tls_ca=garbage).check()
