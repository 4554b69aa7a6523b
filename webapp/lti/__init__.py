"""Learning Tools Interoperability (LTI 1.3 with Advantage): courses of Moodle, Canvas and others open registers here.

We are the *tool*, they are *platforms*. A launch is a sign-in by OpenID Connect that the platform begins: `launching`
sends the browser to the platform and takes its signed answer (`tokens`), `people` says who that is here, `courses`
which course. `services` fetches who takes the course (Names and Role Provisioning Services) and sends the attendance
rate as a column of grades (Assignment and Grade Services). In `deep_linking` a lecturer chooses what a link opens, in
`registration` a platform registers itself. `administration` has the administrator's pages.
"""

from webapp.lti import connecting, launching
from webapp.lti.administration import linking, platforms
from webapp.lti.deep_linking import choosing
from webapp.lti.registration import views

__all__ = ["choosing", "connecting", "launching", "linking", "platforms", "views"]
