// Registered: the platform closes the frame or the window in which it opened this page (LTI Dynamic Registration).
(window.opener ?? window.parent).postMessage({ subject: "org.imsglobal.lti.close" }, "*");
