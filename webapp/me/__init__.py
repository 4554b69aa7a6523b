"""The students' own page: what is kept of them, what they say of it, their consent and photos. No lecturer's page."""

from webapp.me import calendar, consent, disputes, entries, my_data, photos, sign_in
from webapp.me.blueprint import blueprint

__all__ = ["blueprint", "calendar", "consent", "disputes", "entries", "my_data", "photos", "sign_in"]
