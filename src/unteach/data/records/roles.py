"""The roles of messages: what tools call them, and which of them speak."""

from typing import Any

ROLES = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "customer": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "claude": "assistant",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "ipython": "ipython",
}
CALLS = ("function_call", "tool_call")
"""Roles of ShareGPT's kind under which the assistant calls a tool."""

SYSTEMS = ("system", "developer")
SILENT = ("user", "system", "developer", "tool", "ipython")
"""Roles that call no tools."""


def role_of(role: Any) -> Any:
    """A role under the name that chat templates know; itself where it is none of these.

    Example:
        >>> role_of("GPT "), role_of("Function_Call"), role_of("Ada")
        ('assistant', 'function_call', 'Ada')
    """
    small = role.strip().casefold() if isinstance(role, str) else role
    return small if small in CALLS else ROLES.get(small, role) if isinstance(small, str) else role


def is_known(role: str) -> bool:
    """Whether chat templates know a role of this name."""
    return role in ROLES
