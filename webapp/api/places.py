"""Departments and rooms."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, abort, url_for
from sqlalchemy.orm import Session

from attendance.database.models import Department, Room
from attendance.tables.fields import DEPARTMENT_NAME, ROOM_NAME
from webapp.account.identity import is_admin
from webapp.account.permissions import Permission, needs
from webapp.account.reach import departments_of_courses
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_items, part_of_query
from webapp.api.resource import Fields, Resource, identifier, no_content
from webapp.api.texts import text_field
from webapp.api.writing import IF_MATCH, Written, answered, locked, require_match, revision, write
from webapp.changes.departments import add_department, change_department
from webapp.changes.departments import delete_department as remove_department
from webapp.changes.rooms import add_room, change_room
from webapp.changes.rooms import delete_room as remove_room
from webapp.tools.storage import database

departments = Resource("Departments", "Parts of the institution that courses belong to.")
rooms = Resource("Rooms", "Lecture rooms.")


class Named(Fields):
    """Something with a name."""

    id = identifier(required=True)
    name = ma.fields.String(required=True)


class DepartmentFields(Named):
    """A department."""


class RoomFields(Named):
    """A room."""


class NewDepartment(Fields):
    """A department to be added."""

    name = text_field(DEPARTMENT_NAME)


class DepartmentChange(Fields):
    """What a department is to be; what is left out stays."""

    name = text_field(DEPARTMENT_NAME, left_out=True)


class NewRoom(Fields):
    """A room to be added."""

    name = text_field(ROOM_NAME)


class RoomChange(Fields):
    """What a room is to be; what is left out stays."""

    name = text_field(ROOM_NAME, left_out=True)


@departments.route("/departments")
@needs(Permission.READ)
@departments.arguments(ListPart, location="query")
@departments.response(200, list_of(DepartmentFields))
def list_departments(asked: dict[str, Any]) -> Listing:
    """The departments of the courses that the token reaches; of an administrator all."""
    found = database().scalars(sa.select(Department)).all() if is_admin() else departments_of_courses()
    return part_of_items(found, by_id(Department.id), asked)


@departments.route("/departments/<int:department_id>")
@needs(Permission.READ)
@departments.response(200, DepartmentFields)
def get_department(department_id: int) -> Written:
    """A department."""
    found = database().get(Department, department_id)
    if found is None or not (is_admin() or found in departments_of_courses()):
        abort(404)
    return _department(found)


@departments.route("/departments", methods=["POST"])
@needs(Permission.ADMINISTER, scope="departments")
@departments.arguments(NewDepartment)
@departments.alt_response(200, schema=DepartmentFields)
@departments.response(201, DepartmentFields)
def make_department(asked: dict[str, Any]) -> Written:
    """Add a department; where there is one of the name it is answered (200)."""

    def work(db: Session) -> tuple[Department, bool]:
        there = db.scalar(sa.select(Department).where(Department.name == asked["name"]))
        return (add_department(db, asked["name"]), True) if there is None else (there, False)

    department, new = write(work)
    return _department(department, status=201 if new else 200)


@departments.route("/departments/<int:department_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="departments")
@departments.doc(parameters=[IF_MATCH])
@departments.arguments(DepartmentChange)
@departments.response(200, DepartmentFields)
def patch_department(asked: dict[str, Any], department_id: int) -> Written:
    """Give a department another name."""

    def work(db: Session) -> Department:
        department = _locked_department(db, department_id)
        return change_department(db, department, asked.get("name", department.name))

    return _department(write(work))


@departments.route("/departments/<int:department_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="departments")
@departments.doc(parameters=[IF_MATCH])
@departments.response(204)
def delete_department(department_id: int) -> Response:
    """Delete a department; its heads lose the role. 409 while a course belongs to it."""
    write(lambda db: remove_department(db, _locked_department(db, department_id)))
    return no_content()


@rooms.route("/rooms")
@needs(Permission.PLAN)
@rooms.arguments(ListPart, location="query")
@rooms.response(200, list_of(RoomFields))
def list_rooms(asked: dict[str, Any]) -> Listing:
    """All rooms, as whoever moves a session chooses from them."""
    return part_of_query(database(), sa.select(Room), [by_id(Room.id)], asked)


@rooms.route("/rooms/<int:room_id>")
@needs(Permission.ADMINISTER, scope="rooms")
@rooms.response(200, RoomFields)
def get_room(room_id: int) -> Written:
    """A room."""
    found = database().get(Room, room_id)
    if found is None:
        abort(404)
    return _room(found)


@rooms.route("/rooms", methods=["POST"])
@needs(Permission.ADMINISTER, scope="rooms")
@rooms.arguments(NewRoom)
@rooms.alt_response(200, schema=RoomFields)
@rooms.response(201, RoomFields)
def make_room(asked: dict[str, Any]) -> Written:
    """Add a room; where there is one of the name it is answered (200)."""

    def work(db: Session) -> tuple[Room, bool]:
        there = db.scalar(sa.select(Room).where(Room.name == asked["name"]))
        return (add_room(db, asked["name"]), True) if there is None else (there, False)

    room, new = write(work)
    return _room(room, status=201 if new else 200)


@rooms.route("/rooms/<int:room_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="rooms")
@rooms.doc(parameters=[IF_MATCH])
@rooms.arguments(RoomChange)
@rooms.response(200, RoomFields)
def patch_room(asked: dict[str, Any], room_id: int) -> Written:
    """Give a room another name."""

    def work(db: Session) -> Room:
        room = _locked_room(db, room_id)
        return change_room(db, room, asked.get("name", room.name))

    return _room(write(work))


@rooms.route("/rooms/<int:room_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="rooms")
@rooms.doc(parameters=[IF_MATCH])
@rooms.response(204)
def delete_room(room_id: int) -> Response:
    """Delete a room; its cameras stand in none then. 409 where a session is or was held there."""
    write(lambda db: remove_room(db, _locked_room(db, room_id)))
    return no_content()


def _locked_department(db: Session, department_id: int) -> Department:
    department = locked(db, Department, department_id)
    require_match(revision(department.name))
    return department


def _locked_room(db: Session, room_id: int) -> Room:
    room = locked(db, Room, room_id)
    require_match(revision(room.name))
    return room


def _department(department: Department, *, status: int = 200) -> Written:
    location = url_for("Departments.get_department", department_id=department.id) if status == 201 else None
    shown = {"id": department.id, "name": department.name}
    return answered(DepartmentFields, shown, department.name, status=status, location=location)


def _room(room: Room, *, status: int = 200) -> Written:
    location = url_for("Rooms.get_room", room_id=room.id) if status == 201 else None
    return answered(RoomFields, {"id": room.id, "name": room.name}, room.name, status=status, location=location)
