"""The root of every error of the product, and how a command tells one.

The message of each is a sentence for a person: what was wrong, with what, and what to do. None holds a password, a
token or an encoding. What is not in the tree is a fault of the product, and shows as a traceback.

The tree, by room; a test holds it against the classes. A class that begins with an underscore never leaves its module
and is not drawn::

    AttendanceError  the root
      SettingsError  a setting is unknown or has a wrong value; ends a command with status 2
      ClockError  a time without an offset is no moment
      FamilyError  families of models do not go together, or one has no distances
      TableError  a table (CSV) as a whole cannot be read
      LineError  one line of a table cannot be used
        MissingError  a line names a course, room or student that is not there
      DatabaseError  the database is away, refuses, or its schema is another version's
        LossyDowngradeError  the way back to an older schema would lose rows
        ConsentUnknownError  whether students consent cannot be seen, so nobody is enrolled
      CorrectionError  a correction of the register lacks something
      LabelError  a custom status lacks something, or cannot be what it is to be
      LabelGoneError  a custom status was deleted or retired while somebody chose it
      NoEntryError  there is no place in a register: no such session, or nobody of its roster
      EntryChangedError  an entry of a register was changed after the person who corrects had looked at it
      ExcuseError  an excuse lacks something or makes no sense
      DisputeError  an entry cannot be called wrong so, or not be answered so
      ZonesError  zones of a camera's picture make no sense, or leave nothing to search
      HeldError  a sighting that is held cannot be answered so
      ProposalError  photos of a student cannot be proposed or decided so
      TicketError  a ticket of the aiming view opens nothing, or not this
      EngineError  the face engine
        EngineChoiceError  no such engine, runtime, precision or detector
        ModelError  a model file or a runtime is missing or broken
        ModelSourceError  a source of model files does not give what it should
        EmbeddingError  a plugged-in model is unusable
        ImageError  an image that is none
          ImageTooLargeError  an image with too many pixels
      PhotoFileError  a photo's file is damaged, or of a format that is not read here
        CostlyPhotoError  a photo with too many pixels, or that takes too much memory
      GalleryError  an index is missing, damaged or another model's
        IndexRefusedError  an index from another machine is not taken
      SourceAwayError  the machine from which the index comes does not give it
      StoreError  a store cannot be read, written or used
      LayoutError  what a store holds are not names and encodings
      ProvenanceError  what a store says of its photos is not what we write
      UnpicklingError  a pickle holds more than data
      SourceError  a camera's source gives no frames
        InterlacedError  a source's pictures are interlaced, and cannot be read as they are
        DamagedStretchError  no picture of a part of a recording can be read
      PictureError  a picture cannot be sent
      ConnectError  the service cannot be called with these settings
      StreamError  a call ended before its time
      RefusedError  the service does not let the camera in
      GaveUpError  nothing came of the frames for as long as somebody wanted to wait
      SpoolError  there can be no spool in this folder
      SetupError  the answers of the first start cannot be kept or used
      ServiceInstallError  the operating system does not take the camera as a service
      StartError  the recognition service cannot start
      ServerSetupError  a server's settings cannot be used
      TracingError  traces were asked for and cannot be had
      AimingError  the aiming view has no picture to show
      OutboxError  the outbox cannot be opened, read or written
      TimetableUnavailable  the sessions of now are not known
      EngineDiedError  the engine's process ended
      CallRefusedError  a call is not let in
      StreamRefusedError  a camera's call ends with a status
      ServiceError  what is answered to a frame or a call
        RequestError  the client's fault
          InvalidImageError  not an image of an accepted format
          TooLargeError  more pixels or bytes than accepted
          CaptureTimeError  no capture time, or one that is no time
          NoSessionError  no class session counts then and there
          UnchangedError  it shows what the last frame showed
        ServerError  the service's state
          OverloadedError  a bounded queue is full
          ExpiredError  it waited longer than its deadline
          UnavailableError  timetable, outbox, database or engine are away
            GrownFrameError  a frame with many times the pixels of its call's first
          InternalServiceError  something failed that should not
      SecretKeyError  the dashboard's key cannot be read or made
      ListenError  the dashboard's address cannot be listened on
      SealError  a sealed secret of the database cannot be opened
      ChangeError  a thing of the dashboard cannot be added, changed or deleted so
      LaunchError  a launch from a learning platform is not let in
      PlatformError  a learning platform does not answer as it should
      RegistrationError  a learning platform that registers itself cannot be taken
      NoPictureError  a recognition service shows no picture of a camera
      NoLongerWantedError  a mail that waits has nothing to say any more
      MailServerError  the mail server takes nothing now
      MailPutOffError  the mail server did not take a mail for now
      MailRefusedError  the mail server will never take a mail
      OutsideError  a request to an address outside brings no reply that can be used
        OutsideAddressError  an address that may not be called
      CalendarError  a calendar (iCalendar) as a whole cannot be read
      ScheduleError  a time cannot be in the timetable
      ProviderError  the institution's provider cannot be asked, or says what is not to be believed
      ProfilePictureError  a lecturer's picture cannot be used
      PhotoError  an uploaded photo cannot be enrolled
      GroupError  the student table has no such column
      NoThresholdError  a threshold can neither be measured nor is there a default
      SettingsFileError  thresholds cannot be written into the settings file
      SetError  a folder of photos cannot be evaluated so
      RunnerError  there is no runner, or none of its machines can be used
      TaskLostError  the process or machine that did a piece of work is gone
        NotBegunError  the machine that was given it was gone by then
        KeptLostError  what a piece of work kept is gone with its machine
      WorkFailedError  a piece of work failed in a way that nobody thought of
      ListError  there is no recording to take, or it cannot be told whose it is
      PatternError  a pattern of names, or a name, cannot be read
      FileChangedError  a recording was changed while it was read
      IndexDiffersError  a machine searches another index than the run
      OutOfOrderError  a stretch came to a follower that is not the next
      LostTooOftenError  a part of a recording was lost with its process again and again
      JournalError  the journal of runs cannot be used, or another run uses it
      RecorderError  nobody answers for recordings
      CertificateError  certificates cannot be made or used
      DemoError  the demo cannot run
      PicturesError  the demo's pictures cannot be had
      ProgramError  a program of the demo ended
      DashboardError  the demo's dashboard did not answer
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar, NoReturn

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class AttendanceError(Exception):
    """The root of every error of the product; the message is a sentence for a person."""

    exit_status: ClassVar[int] = 1
    """With which a command ends."""

    def for_command(self) -> str:
        """What a command prints after "Error: "."""
        return str(self)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """End the program with one sentence on standard error, and no traceback, where the block meets an error of ours.

    So it does for a file or folder that the operating system refuses, and for a full disk. Everything else goes its own
    way. This is the wrapper of all commands; none has one of its own.
    """
    try:
        yield
    except AttendanceError as error:
        _end(error.for_command(), error.exit_status)
    except OSError as error:
        if error.filename is not None:
            _end(f"cannot read or write {_refused(error)}", 1)
        if error.errno in _NO_ROOM:  # what was open when there was no room is not named
            _end(f"what this command writes finds no room: {error.strerror}", 1)
        raise


def _refused(error: OSError) -> str:
    """The path, whole, since one stands in some folder or other; and who was refused, which may be another account."""
    name = error.filename
    path = os.path.abspath(os.fsdecode(name)) if isinstance(name, str | bytes) else name  # noqa: PTH100 - may be bytes
    who = ""
    if isinstance(error, PermissionError) and sys.platform != "win32":
        import pwd  # noqa: PLC0415 - there is none on Windows

        with suppress(KeyError):  # a number without a name
            who = f" (this runs as {pwd.getpwuid(os.geteuid()).pw_name})"
    return f"{path}: {error.strerror}{who}"


def _end(sentence: str, status: int) -> NoReturn:
    sys.stderr.write(f"Error: {sentence}\n")
    sys.exit(status)
