"""The one typed place of configuration: environment variables over an optional TOML file over defaults."""

from attendance.settings.attendance import AttendanceSettings
from attendance.settings.load import SettingsError, load_settings
from attendance.settings.model import Settings

__all__ = ["AttendanceSettings", "Settings", "SettingsError", "load_settings"]
