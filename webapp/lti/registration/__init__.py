"""Platforms that register themselves (LTI Dynamic Registration 1.0).

An administrator makes an address that works once and for an hour (`offers`) and types it in the platform, which opens
it in a frame or a window of its own. We fetch what the platform says of itself (`configuration`), tell it of this tool
and keep its answer (`client`). Nothing is launched before an administrator has confirmed it here.
"""
