"""What load balancers ask."""


def test_says_whether_the_database_answers(site):
    answer = site.visitor().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    site.sessions.kw["bind"].dispose()
    (site.settings.data.directory / "attendance.db").write_bytes(b"no database any more" * 999)
    for suffix in ("-wal", "-shm"):
        (site.settings.data.directory / f"attendance.db{suffix}").unlink(missing_ok=True)
    answer = site.visitor().get("/healthz")
    assert (answer.status_code, answer.text) == (503, "database unavailable\n")
