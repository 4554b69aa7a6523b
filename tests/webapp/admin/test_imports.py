"""The import pages: trying a file, importing it, the report."""

import csv
import io
import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    Account,
    ClassSession,
    Course,
    Enrolment,
    FileContent,
    ImportedFile,
    ImportedFilePart,
    Role,
    Student,
    utc_now,
)
from attendance.tables import reading
from attendance.tables.reading import read_table
from tests.factories import make_course, make_lecturer, make_room, make_student
from tests.webapp.visiting import Visitor, plain
from webapp.app import create_app
from webapp.imports.kinds import KINDS
from webapp.tools.storage import sessions_of


def upload(visitor, kind, content, name="file.csv"):
    data = content if isinstance(content, bytes) else content.encode()
    return visitor.post(f"/admin/import/{kind}", {"file": (io.BytesIO(data), name)})


def upload_large(visitor, kind, content):
    """The same without the temporary file in which Flask's client would keep a large form, and leave it open."""
    head = f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{visitor.token()}\r\n--x\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="file.csv"\r\nContent-Type: text/csv\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    return visitor.client.post(f"/admin/import/{kind}", data=body, content_type="multipart/form-data; boundary=x")


def count(db, model):
    db.rollback()
    return db.scalar(sa.select(sa.func.count()).select_from(model))


def names(db):
    """The name of each student, by index number."""
    db.rollback()
    return {row.index_number: row.name for row in db.execute(sa.select(Student.index_number, Student.name))}


def kept(db):
    db.rollback()
    return sorted(db.scalars(sa.select(ImportedFilePart.content).distinct()))


BAD_AND_GOOD = "index_number;name\ns1;Ann\n;Nobody\ns2;=HYPERLINK(1)\ns1;Again\n=1+1;x\u202ey\n"


def test_a_file_is_tried_then_imported_and_its_report_downloaded(site, admin, site_db, capfd):
    data_folder = sorted(path.name for path in site.settings.data.directory.iterdir())
    answer = upload(admin, "students", BAD_AND_GOOD, "C:\\people\\class <1>.csv")
    run = answer.headers["Location"]
    html = admin.get(run).text
    assert "class &lt;1&gt;.csv" in html
    text = plain(html)
    assert "Ready to import" in text
    assert "Will be added 2 Will be updated 0 Already there 0 Bad lines 3" in text
    assert "Line 3 index_number is empty. ;Nobody" in text
    assert "Line 5 Index number s1 is already on line 2; that line counts." in text
    assert "name holds an invisible character (U+202E)." in text
    assert count(site_db, Student) == 0

    assert admin.post(run).headers["Location"] == run
    assert "Imported" in admin.text(run)
    assert "Added 2 Updated 0 Already there 0 Bad lines 3" in admin.text(run)
    assert count(site_db, Student) == 2
    assert kept(site_db) == [FileContent.REPORT]  # the file itself is not needed any more
    assert sorted(path.name for path in site.settings.data.directory.iterdir()) == data_folder, "nothing on this disk"

    with admin.get(f"{run}/report.csv") as report:
        assert report.headers["Content-Disposition"] == "attachment; filename=import-report_students.csv"
        rows = list(csv.reader(io.StringIO(report.data.decode("utf-8-sig"))))
    assert rows == [
        ["line", "result", "column", "message", "content"],
        ["3", "refused", "index_number", "index_number is empty.", ";Nobody"],
        ["5", "refused", "index_number", "Index number s1 is already on line 2; that line counts.", "s1;Again"],
        ["6", "refused", "name", "name holds an invisible character (U+202E).", "'=1+1;x\u202ey"],
    ]
    logged = "".join(capfd.readouterr())
    assert "file_imported" in logged
    assert "Ann" not in logged


def test_importing_twice_changes_nothing(admin, site_db):
    run = upload(admin, "students", "index_number,name\ns1,Ann\n").headers["Location"]
    for _ in range(2):  # the second press of the button finds it done
        assert admin.post(run).status_code == 302
    assert "imported already" in admin.text(run)
    again = admin.text(upload(admin, "students", "index_number,name\ns1,Ann\n").headers["Location"])
    assert "Nothing to import" in again
    assert "Everything in the file is there already." in again
    assert count(site_db, Student) == 1


def test_a_change_is_shown_before_it_is_made(admin, site_db):
    make_student(site_db, "s1", "Ann")
    site_db.commit()
    run = upload(admin, "students", "index_number,name\ns1,Anna\n").headers["Location"]
    assert "s1 is already there; the name changes from Ann to Anna" in admin.text(run)
    assert "Every line is good. Import 1 line" in admin.text(run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"index_number,surname\n1,A\n", "The file lacks the column name."),
        ("index_number,name\n1,Żak\n".encode("cp1250"), "The file is not in UTF-8"),
        (b"PK\x03\x04", "This is a spreadsheet, not a CSV file."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(site_db, admin, content, message):
    answer = upload(admin, "students", content)
    assert answer.status_code == 422
    assert f'id="file-error">{message}' in answer.text
    assert "This file cannot be imported." in answer.text
    assert kept(site_db) == []


def test_no_file_at_all(admin):
    answer = admin.post("/admin/import/students", {"file": (io.BytesIO(b""), "")})
    assert answer.status_code == 422
    assert "Choose a file first." in answer.text


def test_only_bad_lines(admin):
    text = admin.text(upload(admin, "students", "index_number,name\n,A\n").headers["Location"])
    assert "No line of the file can be imported." in text
    assert "Import 0" not in text
    assert "has no lines" in admin.text(upload(admin, "students", "index_number,name\n").headers["Location"])


def test_a_file_that_is_too_large_is_refused_in_words(admin):
    answer = upload_large(admin, "students", b"index_number,name\n" + b"x" * (reading.MAX_BYTES + 200_000))
    assert answer.status_code == 413
    assert "The file is larger than 16 MB. Split it into parts" in plain(answer.text)
    # Somewhat too large: the form itself says so.
    answer = upload_large(admin, "students", b"index_number,name\n" + b"x" * reading.MAX_BYTES)
    assert answer.status_code == 422
    assert "The file is larger than 16 MB." in answer.text
    # Elsewhere a form is much smaller.
    assert admin.post("/admin/students/new", {"name": "x" * 2_000_000}).status_code == 413


def test_too_many_lines(admin, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINES", 2)
    answer = upload(admin, "students", "index_number,name\n1,A\n2,B\n3,C\n")
    assert answer.status_code == 422
    assert "The file has more than 2 lines." in answer.text


def test_nobody_else_sees_a_run(site, site_db, admin):
    run = upload(admin, "students", BAD_AND_GOOD).headers["Location"]
    other = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    stranger = site.visitor(other)
    assert stranger.get(run).status_code == 404
    assert stranger.post(run).status_code == 404
    assert stranger.get(f"{run}/report.csv").status_code == 404
    assert count(site_db, Student) == 0


def test_runs_are_forgotten_after_a_day(admin, site_db):
    run = upload(admin, "students", BAD_AND_GOOD).headers["Location"]
    site_db.execute(sa.update(ImportedFile).values(uploaded_at=utc_now() - timedelta(seconds=90_000)))
    site_db.commit()
    assert admin.get(run).status_code == 404
    upload(admin, "students", BAD_AND_GOOD)
    assert admin.get(run).status_code == 404
    assert count(site_db, ImportedFile) == 1
    assert site_db.scalar(sa.select(sa.func.count(sa.distinct(ImportedFilePart.file_id)))) == 1


def test_an_administrator_s_oldest_of_many_files_goes(admin, site_db):
    runs = [upload(admin, "students", BAD_AND_GOOD).headers["Location"] for _ in range(12)]
    assert [admin.get(run).status_code for run in runs] == [404] * 2 + [200] * 10
    assert count(site_db, ImportedFile) == 10


def test_a_large_file_and_its_report_come_back_whole(admin, site_db):
    """Both are kept in parts."""
    many = 8_000
    lines = [f"s{number:06d},{'N' * 100}" for number in range(many)] + [f",Nobody {number}" for number in range(many)]
    run = upload_large(admin, "students", "\n".join(["index_number,name", *lines]).encode()).headers["Location"]
    parts = site_db.execute(sa.select(ImportedFilePart.content, sa.func.length(ImportedFilePart.data))).all()
    assert sum(content is FileContent.FILE for content, _ in parts) > 3
    assert sum(content is FileContent.REPORT for content, _ in parts) > 1
    assert max(length for _, length in parts) < 300_000
    report = list(csv.reader(io.StringIO(admin.get(f"{run}/report.csv").data.decode("utf-8-sig"))))
    assert [row[0] for row in report] == ["line", *(str(many + 2 + number) for number in range(many))]
    assert admin.post(run).status_code == 302
    assert count(site_db, Student) == many
    assert len(list(csv.reader(io.StringIO(admin.get(f"{run}/report.csv").data.decode("utf-8-sig"))))) == many + 1


def test_a_report_that_would_be_too_large_says_so(admin, monkeypatch):
    monkeypatch.setattr("webapp.imports.files.MOST_REPORT_BYTES", 100)
    monkeypatch.setattr("webapp.imports.files._PART_BYTES", 1_000)
    run = upload(admin, "students", "index_number,name\n" + ",Nobody\n" * 500).headers["Location"]
    report = list(csv.reader(io.StringIO(admin.get(f"{run}/report.csv").data.decode("utf-8-sig"))))
    assert 10 < len(report) < 100
    assert "The report ends here" in report[-1][3]


DAMAGED = (
    "index_number,name\n2.4E+05,Ann\n7123,Bob\ns240401,Cid\n=1+1,Dan\n../x,Eve\n@at,Fay\n240102,Guy\nab7,Hal\nAB7,Ida\n"
)


def test_damaged_index_numbers_are_refused_or_asked_about(admin, site_db):
    make_student(site_db, "007123", "Bob")
    make_student(site_db, "S240401", "Cid")
    site_db.commit()
    run = upload(admin, "students", DAMAGED).headers["Location"]
    text = unescape(admin.text(run))
    assert "Will be added 5 Will be updated 0 Already there 0 Bad lines 4" in text
    assert "Line 2 index_number '2.4E+05' is what is left after a spreadsheet rounded the index number" in text
    assert "Line 5 index_number '=1+1' would be a formula in a spreadsheet." in text
    assert "Line 6 index_number '../x' is a path." in text
    assert "Line 7 index_number '@at' would be a formula" in text
    assert "3 lines need your word" in text
    only_zeros = "7123 is like 007123, who is there already, but for zeros, which spreadsheets drop and add."
    assert f"Line 3 {only_zeros} Is this another student?" in text
    assert "Line 4 s240401 is like S240401, who is there already, but for capitals." in text
    assert "Line 10 AB7 is like ab7, on line 9, but for capitals." in text

    refused = admin.post(run)
    assert refused.status_code == 422
    assert "Look at the lines under “Please check” first." in refused.text
    assert count(site_db, Student) == 2

    assert admin.post(run, {"checked": "y"}).status_code == 302
    assert count(site_db, Student) == 7
    assert "Was asked about" in admin.text(run)
    rows = csv.reader(io.StringIO(admin.get(f"{run}/report.csv").data.decode("utf-8-sig")))
    assert [row[0] for row in rows] == ["line", "2", "3", "4", "5", "6", "7", "10"]
    # What a person said once is not asked again.
    again = admin.text(upload(admin, "students", DAMAGED).headers["Location"])
    assert "Nothing to import" in again
    assert "Please check" not in again


def test_enrolments_ask_about_students_whom_they_add(admin, site_db):
    make_course(site_db, "MA1")
    make_student(site_db, "007123", "Bob")
    site_db.commit()
    text = "course_code,index_number,name\nMA1,7123,Bob\nMA1,8123,\nMA1,07123,\n"
    run = upload(admin, "enrolments", text).headers["Location"]
    page = admin.text(run)
    assert "Line 2 7123 is like 007123, who is there already, but for zeros" in page
    assert "There is no student with index number 07123. Did you mean 007123? Give a name to add one." in page
    assert admin.post(run).status_code == 422
    assert count(site_db, Enrolment) == 0


def test_a_line_break_inside_a_field_is_no_new_student(admin, site_db):
    text = 'index_number,name,address\ns1,Ann,"12 High St\r\nLondon"\r\ns2,"Maria\nNowak",x\n'
    text += 's3,"Bro,\nken",x\n"s\n4",Dan,x\n'
    run = upload(admin, "students", text).headers["Location"]
    page = admin.text(run)
    assert "4 lines" in page
    assert "Records with line breaks inside a field, each of which counts as one line: 3." in page
    assert "Line 6 name holds a line break and a comma (lines 6 to 7)." in page
    assert "Line 8 index_number holds a line break." in page
    admin.post(run)
    assert names(site_db) == {
        "s1": "Ann",
        "s2": "Maria Nowak",
    }


def test_marks_of_writing_direction_are_no_part_of_a_name(admin, site_db):
    joined = "\u0646\u06cc\u0645\u200c\u0641"  # Persian, with a joiner that belongs to it
    text = f"index_number,name\ns1,\u200fليلى\u200e\ns2,\u2067ليلى\u2069 \u202bحسن\u202c\ns3,{joined}\ns\u200f4,Dan\n"
    run = upload(admin, "students", text).headers["Location"]
    assert "index_number holds an invisible character (U+200F)." in admin.text(run)
    admin.post(run)
    assert names(site_db) == {
        "s1": "ليلى",
        "s2": "ليلى حسن",
        "s3": joined,
    }


def test_a_course_s_own_file_needs_no_course_column(admin, site_db):
    course = make_course(site_db, "MA1")
    make_student(site_db, "s1")
    site_db.commit()
    address = f"enrolments?course={course.id}"
    assert "Import enrolments of MA1" in admin.text(f"/admin/import/{address}")
    run = upload(admin, address, "index_number,name,course_code\ns1,,\ns2,Bob,MA1\ns3,Eve,PH1\n").headers["Location"]
    text = admin.text(run)
    assert "for MA1: 3 lines" in text
    assert "course_code is PH1; this import is for MA1 only." in text
    admin.post(run)
    assert (count(site_db, Enrolment), count(site_db, Student)) == (2, 2)
    assert "Show the students" in admin.text(run)
    assert admin.get("/admin/import/enrolments?course=999").status_code == 404


def test_the_timetable_and_lecturers_come_in_too(admin, site_db):
    make_course(site_db, "MA1")
    make_room(site_db, "101")
    site_db.commit()
    text = "course_code,room,date,start,end,repeat_until\nMA1,101,2027-03-22,9:00,10:00,2027-04-05\n"
    run = upload(admin, "timetable", text).headers["Location"]
    assert "1 line, 3 sessions to add" in admin.text(run)
    admin.post(run)
    assert count(site_db, ClassSession) == 3
    admin.post(upload(admin, "lecturers", "email,name\nada@example.edu,Ada\n").headers["Location"])
    assert count(site_db, Account) == 2
    run = upload(admin, "enrolments", "course_code,index_number,name\nMA1,s1,Ann\n").headers["Location"]
    admin.post(run)
    assert "Show courses" in admin.text(run)


def test_a_course_deleted_between_trying_and_importing(admin, site_db):
    course = make_course(site_db, "MA1")
    site_db.commit()
    run = upload(admin, f"enrolments?course={course.id}", "index_number,name\ns1,Ann\n").headers["Location"]
    site_db.execute(sa.delete(Course))
    site_db.commit()
    assert admin.post(run).status_code == 404
    assert count(site_db, Student) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_empty_file_and_the_example_fit_the_import(site, admin, kind):
    answer = admin.get(f"/admin/import/{kind}/template.csv")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={kind}.csv"
    with site.app.app_context():
        importer = KINDS[kind].importer(site.app.config["INSTITUTION_ZONE"])
    columns = importer.columns
    assert read_table(answer.data, columns).present == {column.name for column in columns}
    assert list(read_table(answer.data, columns).lines()) == []
    example = read_table(KINDS[kind].example.encode(), columns)
    for line in example.lines():
        assert line.error is None
        importer.parse(line, example.present)


def upload_several(visitor, files):
    streams = [(io.BytesIO(text.encode()), name) for name, text in files.items()]
    return visitor.post("/admin/import/together", {"files": streams})


TERM = {
    "plan.csv": "course_code,room,date,start,end,repeat_until\nMA1,Hall A,2027-03-22,9:00,10:00,2027-04-05\n",
    "who.csv": "course_code,index_number,name\nMA1,s1,\nMA1,s9,\n",
    "people.csv": "index_number,name\ns1,Ann\n",
    "courses.csv": "code,name\nMA1,Algebra\n",
    "rooms.csv": "name\nHall A\n",
}


def test_a_term_in_several_files(admin, site_db):
    run = upload_several(admin, TERM).headers["Location"]
    text = admin.text(run)
    assert "Ready to import 5 files, 6 lines" in text
    order = [text.index(name) for name in ("rooms.csv", "courses.csv", "people.csv", "who.csv", "plan.csv")]
    assert order == sorted(order)
    assert "5 good lines can be imported. 1 bad line will be left out" in text
    assert count(site_db, Course) == 0
    page = admin.get(run).text
    (single,) = re.findall(r'href="(/admin/import/runs/[^"]+)">who.csv', page)
    assert "There is no student with index number s9. Give a name to add one." in admin.text(single)
    assert "Back to all files" in admin.text(single)
    assert admin.post(single).status_code == 404, "it is imported with the others only"
    assert admin.post(run).status_code == 302
    assert "Imported 5 files" in admin.text(run)
    assert [count(site_db, model) for model in (Course, Student, Enrolment, ClassSession)] == [1, 1, 1, 3]
    assert kept(site_db) == [FileContent.REPORT]
    admin.post(run)
    assert "imported already" in admin.text(run)


def test_several_files_that_cannot_be_tried(admin, site_db):
    assert "Choose the files first." in upload_several(admin, {}).text
    many = {f"{number}.csv": "name\nx\n" for number in range(11)}
    assert "Choose at most 10 files." in upload_several(admin, many).text
    answer = upload_several(admin, {"a.csv": "name\nx\n", "b.csv": "shoe\n1\n", "c.csv": ""})
    assert answer.status_code == 422
    text = unescape(answer.text)
    assert "b.csv: The columns are those of no kind of file." in text
    assert "c.csv: The file is empty." in text
    assert count(site_db, ImportedFile) == 0


def test_nobody_else_sees_several_files(site, site_db, admin):
    run = upload_several(admin, TERM).headers["Location"]
    stranger = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(stranger)
    assert (
        visitor.get(run).status_code == visitor.post(run).status_code == visitor.post(f"{run}/again").status_code == 404
    )


def test_courses_that_do_not_exist_are_offered_and_made(admin, site_db):
    lines = "".join(f"C{number % 6},s{number},Student {number}\n" for number in range(300))
    run = upload(admin, "enrolments", "course_code,index_number,name\n" + lines + ",s1,x\n").headers["Location"]
    text = admin.text(run)
    assert "These 6 courses do not exist: create them" in text
    assert "50 lines There is no course with the code C0. Lines 2, 8, 14, 20, 26, 32, 38, 44 and 42 more" in text
    assert admin.post(f"{run}/again", {"create": "courses"}).headers["Location"] == run
    text = admin.text(run)
    assert "6 courses will be created: C0, C1, C2, C3, C4, C5" in text
    assert "Will be added 300" in text
    assert count(site_db, Course) == 0
    admin.post(run)
    assert "6 courses created: C0" in admin.text(run)
    assert (count(site_db, Course), count(site_db, Enrolment)) == (6, 300)
    assert admin.post(f"{run}/again", {"create": "courses"}).status_code == 302
    assert "imported already" in admin.text(run)


def test_the_reasons_as_a_file(admin):
    run = upload(admin, "students", "index_number,name\n,A\n,B\ns1,\n").headers["Location"]
    assert "Only the reasons" in admin.text(run)
    with admin.get(f"{run}/faults.csv") as answer:
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows == [
        ["lines", "which", "column", "message", "first_line"],
        ["2", "2 to 3", "index_number", "index_number is empty.", "',A" if rows[1][4].startswith("'") else ",A"],
        ["1", "4", "name", "name is empty.", "s1,"],
    ]


def test_rooms_and_courses_come_in_too(admin, site_db):
    admin.post(upload(admin, "rooms", "name\nHall A\n").headers["Location"])
    run = upload(admin, "courses", "code,name\nMA1,Algebra\n").headers["Location"]
    admin.post(run)
    assert "Show courses" in admin.text(run)
    assert count(site_db, Course) == 1


def test_an_import_of_lecturers_leads_to_their_links(admin):
    run = upload(admin, "lecturers", "email,name\nada@example.edu,Ada\n").headers["Location"]
    admin.post(run)
    assert "Make links to set a password" in admin.text(run)


def test_the_pattern_of_index_numbers_holds_for_files_and_forms(site_settings, site_db):
    institution = site_settings.institution.model_copy(update={"index_pattern": "[0-9]{6}"})
    app = create_app(site_settings.model_copy(update={"institution": institution}))
    boss = make_lecturer(site_db, role=Role.ADMIN)
    make_student(site_db, "old-1", "Ann")
    site_db.commit()
    visitor = Visitor(app).enter_as(boss)
    run = upload(visitor, "students", "index_number,name\n7123,Ann\n240101,Bob\n").headers["Location"]
    said = "'7123' does not look like the index numbers here ([0-9]{6})"
    assert said in unescape(visitor.text(run))
    answer = visitor.post("/admin/students/new", {"index_number": "7123", "name": "Ann"})
    assert (answer.status_code, said in unescape(answer.text)) == (422, True)
    assert visitor.post("/admin/students/new", {"index_number": "240102", "name": "Eve"}).status_code == 302
    old = site_db.scalar(sa.select(Student.id).where(Student.index_number == "old-1"))
    assert visitor.post(f"/admin/students/{old}", {"index_number": "old-1", "name": "Anna"}).status_code == 302
    sessions_of(app).kw["bind"].dispose()
