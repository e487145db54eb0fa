"""Writes tests/fixtures/chat.json: chat templates in the formats of several families, and what transformers makes of a turn with them.

    python tests/make_chat.py

The templates are short ones of our own, after the formats that the families' model cards document. Made with transformers 5.24.0.
"""

import json
import tempfile
from pathlib import Path

from transformers import PreTrainedTokenizerFast

FIXTURES = Path(__file__).resolve().parent / "fixtures"
TEXTS = ["the cat is", " the cat\n\n", "a <b> {{ c }}", "\u00fcber \u4f60\u597d", "\n"]

CHATML = """{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nSYSTEM<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" %}
        {{- raise_exception('no tools here') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if tools is none or not tools %}{% set tools = none %}{% endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\nToday Date: " + date_string + "\\n\\n" }}
{{- system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nSYSTEM<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
MISTRAL = """{%- set loop_messages = messages %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages | selectattr("role", "equalto", "user") | list %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("roles must alternate") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {{- "[INST] " + message["content"] + "[/INST]" }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
"""
PHI = (
    "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}"
    "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
QWEN3 = """{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
    {%- endif %}
    {%- if content.startswith('<tool_response>') and content.endswith('</tool_response>') %}{% continue %}{% endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}
"""
TEMPLATES = {
    "qwen2.5": (CHATML, {}, ["<|im_start|>", "<|im_end|>"]),
    "qwen3": (QWEN3, {}, ["<|im_start|>", "<|im_end|>"]),
    "llama-3.2": (LLAMA, {"bos_token": "<|begin_of_text|>"}, ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    "smollm2": (SMOLLM, {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}, []),
    "gemma": (GEMMA, {"bos_token": "<bos>", "eos_token": "<eos>"}, ["<start_of_turn>", "<end_of_turn>"]),
    "mistral": (MISTRAL, {"bos_token": "<s>", "eos_token": "</s>"}, ["[INST]", "[/INST]"]),
    "phi-3": (PHI, {"eos_token": "<|endoftext|>"}, ["<|user|>", "<|end|>", "<|assistant|>"]),
}  # fmt: skip


def main():
    found = {}
    for name, (template, roles, special) in TEMPLATES.items():
        written = json.loads((FIXTURES / "base" / "tokenizer.json").read_text())
        known = [token["content"] for token in written["added_tokens"]]
        for token in [*roles.values(), *special]:
            if token not in known:
                written["added_tokens"].append(dict(
                    id=299 + len(written["added_tokens"]), content=token, single_word=False, lstrip=False, rstrip=False,
                    normalized=False, special=True))  # fmt: skip
                known.append(token)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tokenizer.json"
            path.write_text(json.dumps(written))
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), chat_template=template, **roles)
        turns = []
        for text in TEXTS:
            ask = dict(conversation=[{"role": "user", "content": text}], add_generation_prompt=True, date_string="26 Jul 2024")
            rendered = tokenizer.apply_chat_template(tokenize=False, **ask)
            ids = tokenizer.apply_chat_template(tokenize=True, return_dict=True, **ask)["input_ids"]
            turns.append(dict(text=text, rendered=rendered, ids=ids))
        found[name] = dict(template=template, roles=roles, added=written["added_tokens"], turns=turns)
    (FIXTURES / "chat.json").write_text(json.dumps(found, indent=1) + "\n")


main()
