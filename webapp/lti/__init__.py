"""Learning Tools Interoperability (LTI 1.3 with Advantage): courses of Moodle, Canvas and others open registers here.

We are the *tool*, they are *platforms*. A launch is a sign-in by OpenID Connect that the platform begins: `launching`
sends the browser to the platform and takes its signed answer (`tokens`), `people` says who that is here, `courses`
which course. `roster` fetches who takes the course (Names and Role Provisioning Services), `rates` sends the
attendance rate as a column of grades (Assignment and Grade Services); both call through `services`, signed with `keys`.
"""

from webapp.lti import connecting, launching, linking, platforms

__all__ = ["connecting", "launching", "linking", "platforms"]
