"""Map the roles of messages in various formats to the roles of chat templates."""

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
"""Roles in the ShareGPT format for tool calls of the assistant."""

SYSTEMS = ("system", "developer")
SILENT = ("user", "system", "developer", "tool", "ipython")
"""Roles that cannot call tools."""


def role_of(role: Any) -> Any:
    """Convert a role to the name that chat templates use; an unknown role stays as it is.

    Example:
        >>> role_of("GPT "), role_of("Function_Call"), role_of("Ada")
        ('assistant', 'function_call', 'Ada')
    """
    small = role.strip().casefold() if isinstance(role, str) else role
    return small if small in CALLS else ROLES.get(small, role) if isinstance(small, str) else role


def is_known(role: str) -> bool:
    """Whether the role is a known one."""
    return role in ROLES
