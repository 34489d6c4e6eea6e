"""Map the columns of other tools and datasets to the columns that are read here."""

CHAT = (
    'This is one message: write the conversation as one record, {"messages": [{"role": "user", '
    '"content": "..."}, ...]}.'
)
ONE_OF = "as choices (a list, in this order), and as answer the text of the one that {} names."

ELSEWHERE: dict[tuple[str, ...], str] = {  # names in lower case
    ("chosen", "rejected"): "This is a preference: write what the model learned to say (chosen) as "
    "completion beside its prompt, or as messages where it is a list of them; what shall replace "
    "it is `alternate`.",
    ("input_ids",): "These are tokens: give the texts that they were made of.",
    ("paragraphs",): "Write one record for each question: question, context, answers.",
    ("ctx", "endings"): f"Write ctx as question, endings {ONE_OF.format('label')}",
    (
        "sent1",
        "ending0",
    ): f"Write sent1 and sent2 as question, ending0, ... {ONE_OF.format('label')}",
    ("answera", "answerb"): f"Write answerA, answerB, ... {ONE_OF.format('label (from 1)')}",
    ("sol1", "sol2"): f"Write goal as question, sol1 and sol2 {ONE_OF.format('label (from 0)')}",
    ("opa", "opb"): f"Write opa, opb, ... {ONE_OF.format('cop')}",
    ("mc1_targets",): "Write the right one of the choices in mc1_targets as answer.",
    ("role", "content"): CHAT,
    ("from", "value"): CHAT,
    ("author", "content"): CHAT,
    ("custom_id", "body"): "This is a batch of requests: write the messages in body, and what was "
    "answered as the last of them, as messages.",
    ("mapping",): "This is an export of ChatGPT: write the messages of each conversation, in order "
    "and with what they say as content, as messages.",
    ("id", "data"): "If data holds the turns of a conversation, write them as messages: "
    '[{"role": "user", "content": "..."}, ...].',
}

SYNONYMS = {
    "question": "q ques question_text question_stem stem problem goal ctx user human input_text "
    "source_text inputs user_input user_message",
    "answer": "a ans answer_text correct_answer best_answer gold target targets target_text "
    "reference solution reply assistant gpt bot outputs expected_output ground_truth label "
    "correct_option final_answer generated_text",
    "text": "content document passage article story body sentence raw_content contents texts",
    "messages": "dialogue dialog chat turns message",
}
MEANT = {theirs: ours for ours, names in SYNONYMS.items() for theirs in names.split()}
"""Synonyms of column names, suggested where the known column is missing."""

USUAL = frozenset(name for names in ELSEWHERE for name in names) | frozenset(
    str.split(
        "train test validation val dev forget retain holdout data rows records examples items "
        "results columns index schema name title input_ids attention_mask label chosen "
        "rejected paragraphs qas endings score weight hidden list lists"
    )
)
"""Further names that messages may show."""
