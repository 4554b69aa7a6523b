"""The blueprint of the administrator's pages: nobody else opens any of them."""

from flask import Blueprint

from webapp.account.permissions import Permission, needs

blueprint = needs(Permission.ADMINISTER)(Blueprint("admin", __name__))
