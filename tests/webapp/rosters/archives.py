"""OneRoster archives for tests."""

import zipfile
from collections.abc import Mapping
from io import BytesIO

HEADERS = {
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,"
    "preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate",
}
OUT_ONLY = {
    "categories": "sourcedId,status,dateLastModified,title,weight",
    "lineItems": "sourcedId,status,dateLastModified,title,description,assignDate,dueDate,classSourcedId,"
    "categorySourcedId,academicSessionSourcedId,resultValueMin,resultValueMax,schoolSourcedId",
    "results": "sourcedId,status,dateLastModified,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate,"
    "comment,textScore,classSourcedId,inProgress,incomplete,late,missing",
}
"""Copied, like those above, from the tables of section 4 of the standard's CSV binding (1EdTech OneRoster 1.2)."""
VOCABULARY = {
    ("enrollments", "role"): {"administrator", "proctor", "student", "teacher"},
    ("enrollments", "primary"): {"true", "false"},
    ("roles", "role"): {"aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor",
                        "relative", "siteAdministrator", "student", "systemAdministrator", "teacher"},
    ("roles", "roleType"): {"primary", "secondary"},
    ("results", "scoreStatus"): {"exempt", "fully graded", "not submitted", "partially graded", "submitted"},
    ("classes", "classType"): {"homeroom", "scheduled"},
    ("orgs", "type"): {"department", "school", "district", "local", "state", "national"},
    ("academicSessions", "type"): {"gradingPeriod", "semester", "schoolYear", "term"},
}  # fmt: skip
"""What the same tables let stand in a column."""

TERM = (
    "t1,active,,Winter,semester,2026-10-01,2027-03-01,,2027\nt0,active,,Summer,semester,2026-03-01,2026-09-01,,2026\n"
)
ORGS = "o1,active,,University,school,,\no2,active,,Mathematics,department,,o1\n"
COURSES = (
    "c1,active,,,Linear algebra,MAT101,,o2,,\nc2,active,,,Mechanics,PHY200,,o1,,\nc3,active,,,Old one,OLD1,,o2,,\n"
)
CLASSES = (
    "k1,active,,Linear algebra A,,c1,A,scheduled,,o1,t1,,,\n"
    'k2,active,,Linear algebra B,,c1,B,scheduled,,o1,"t1,t0",,,\n'
    "k3,active,,Mechanics,,c2,,scheduled,,o1,t1,,,\nk0,active,,Old one,,c3,,scheduled,,o1,t0,,,\n"
)
ENROLLMENTS = (
    "e1,active,,k1,o1,u1,student,false,,\ne2,active,,k2,o1,u2,student,false,,\ne3,active,,k3,o1,u1,student,false,,\n"
    "e4,active,,k1,o1,u9,teacher,true,,\ne5,active,,k2,o1,u9,teacher,true,,\ne6,active,,k3,o1,u8,aide,false,,\n"
    "e7,active,,k0,o1,u3,student,false,,\ne8,active,,k3,o1,u3,student,false,2026-10-01,2026-11-01\n"
)


def user(name: str, called: str, number: str = "", email: str = "", status: str = "active") -> str:
    given, family = called.split()
    return f"{name},{status},,true,{name}.login,,{given},{family},,{number},{email},,,,,,,,,,,o1,\n"


USERS = (
    user("u1", "Maria Nowak", "100001", "maria@example.edu")
    + user("u2", "Łukasz Żak", "100002", "no address")
    + user("u3", "Old Student", "100003")
    + user("u9", "Ada Lovelace", "", "ada@example.edu")
    + user("u8", "Alan Turing", "", "alan@example.edu")
)
WHOLE = {
    "academicSessions": TERM, "orgs": ORGS, "courses": COURSES, "classes": CLASSES, "users": USERS,
    "enrollments": ENROLLMENTS,
}  # fmt: skip


def manifest(files: Mapping[str, str], *, mode: str = "bulk", version: str = "1.2", system: str = "sis") -> str:
    said = {"manifest.version": "1.0", "oneroster.version": version, "source.systemCode": system}
    said |= {f"file.{name}": mode if name in files else "absent" for name in HEADERS}
    return "propertyName,value\n" + "".join(f"{name},{value}\n" for name, value in said.items())


def archive(files: Mapping[str, str], **said: str) -> bytes:
    """An archive of these files, by their names, without the lines that name the columns."""
    whole = {f"{name}.csv": f"{HEADERS[name]}\n{text}" for name, text in files.items()}
    return zipped({"manifest.csv": manifest(files, **said), **whole})


def zipped(entries: Mapping[str, str | bytes]) -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return data.getvalue()
