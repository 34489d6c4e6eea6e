"""Chat templates in the manner of public model families, in our own words and with our markers."""

# Each turn between markers; texts as they are. Knows no thoughts, calls or tools.
PLAIN_CHAT = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)

# Shows the thoughts of the turns behind the last question, an empty one where the last has none,
# and none before that; calls as JSON, tools in a turn of their own, results as the user's.
KEEPS_LAST_THOUGHT = (
    "{% if tools %}<|start|>system\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}<|stop|>\n"
    "{% endif %}{% set ns = namespace(last=-1) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
    "{% endfor %}{% for m in messages %}"
    "{% if m.role == 'assistant' %}{% set said = m.content %}{% set thought = '' %}"
    "{% if m.reasoning_content is string %}{% set thought = m.reasoning_content %}"
    "{% elif '</think>' in said %}"
    "{% set thought = said.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set said = said.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "<|start|>assistant\n"
    "{% if loop.index0 > ns.last and (loop.last or thought) %}"
    "<think>\n{{ thought.strip('\n') }}\n</think>\n\n{% endif %}{{ said }}"
    "{% for call in m.tool_calls or [] %}{{ '\n' if said or not loop.first }}"
    '<call>{"name": "{{ call.function.name }}", "arguments": '
    "{% if call.function.arguments is string %}{{ call.function.arguments }}"
    "{% else %}{{ call.function.arguments | tojson }}{% endif %}}</call>{% endfor %}<|stop|>\n"
    "{% elif m.role == 'tool' %}<|start|>user\n<result>{{ m.content }}</result><|stop|>\n"
    "{% else %}<|start|>{{ m.role }}\n{{ m.content }}<|stop|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)

# As above, but asks with the thought opened already.
OPENS_THOUGHT = KEEPS_LAST_THOUGHT.replace("\n{% if enable", "\n<think>\n{% if enable")

# Cuts every thought off at its end tag, and asks with one opened; wants arguments as text.
DROPS_THOUGHTS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}"
    "{% endfor %}{% for m in messages %}{% if m.role == 'user' %}<User>{{ m.content }}"
    "{% elif m.role == 'assistant' %}{% set said = m.content %}"
    "{% if '</think>' in said %}{% set said = said.split('</think>')[-1] %}{% endif %}"
    "<Assistant>{{ said }}{% for call in m.tool_calls or [] %}"
    "{{ '<call>' + call.function.name + '\n' + call.function.arguments + '</call>' }}{% endfor %}"
    "<|stop|>{% elif m.role == 'tool' %}<result>{{ m.content }}</result>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant><think>\n{% endif %}"
)

# Channels: a thought is a message of its own, shown before the last answer alone; a call names the
# function in the header, and so does its result.
CHANNELS = (
    "{% set ns = namespace(name='') %}{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% if m.tool_calls %}{% set call = m.tool_calls[0].function %}{% set ns.name = call.name %}"
    "<|start|>assistant to={{ call.name }}:code:{{ call.arguments | tojson }}<|end|>"
    "{% else %}{% if m.thinking and loop.last %}<|start|>assistant:thinks:{{ m.thinking }}<|end|>"
    "{% endif %}<|start|>assistant:says:{{ m.content }}"
    "{% if loop.last %}<|stop|>{% else %}<|end|>{% endif %}{% endif %}"
    "{% elif m.role == 'tool' %}<|start|>{{ ns.name }} to=assistant:{{ m.content | tojson }}<|end|>"
    "{% else %}<|start|>{{ m.role }}:{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)

# Turns that take turns, no system, and the assistant has another name.
ALTERNATES = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('No system here') }}{% endif %}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<|start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<|stop|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>model\n{% endif %}"
)

# Reads contents as lists of parts alone, as models that see do.
PARTS = (
    "{% for m in messages %}{{ m.role | capitalize }}:"
    "{% for part in m.content %}{% if part.type == 'text' %} {{ part.text }}{% endif %}"
    "{% endfor %}<|stop|>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)

FAMILIES = {
    "plain": PLAIN_CHAT,
    "keeps last thought": KEEPS_LAST_THOUGHT,
    "opens thought": OPENS_THOUGHT,
    "drops thoughts": DROPS_THOUGHTS,
    "channels": CHANNELS,
    "alternates": ALTERNATES,
    "parts": PARTS,
}
