"""Lists of students that an earlier version left on the disk go when the dashboard starts."""

from pathlib import Path

from webapp.cli import check_before_serving
from webapp.serving.left_behind import delete_left_behind


def test_a_dashboard_that_starts_deletes_what_earlier_versions_left(site_settings):
    folder = site_settings.data.directory
    (folder / "imports" / "token").mkdir(parents=True)
    (folder / "imports" / "token" / "upload.csv").write_text("index_number,name\n")
    for name in ("sign-in-attempts.db", "sign-in-attempts.db-wal", "other"):
        (folder / name).touch()
    check_before_serving(site_settings)
    assert {"attendance.db", "other", "web-secret-key"} == {path.name for path in folder.iterdir()}


def test_no_folder_and_nothing_there(tmp_path: Path):
    delete_left_behind(tmp_path / "absent")
    delete_left_behind(tmp_path)


def test_what_cannot_be_deleted_stops_nobody(tmp_path, monkeypatch, capsys):
    (tmp_path / "sign-in-attempts.db").touch()

    def refuse(path, missing_ok):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    delete_left_behind(tmp_path)
    assert "left_behind_not_deleted" in "".join(capsys.readouterr())
