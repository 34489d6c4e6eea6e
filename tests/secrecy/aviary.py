"""Data with a canary in every field that can hold a text, in every form that is read."""

import csv
import json

from secrecy.leaks import Canary, canary

ROLES = ("forget", "retain", "holdout")
NAMES = ("para", "wrong", "alternate", "mark", "name")


class Aviary:
    """Canaries by where they were put.

    Args:
        folder: to write the data into.
        tokenizer: of the model.
    """

    def __init__(self, folder, tokenizer):
        self.folder, self._tokenizer = folder, tokenizer
        self.canaries: list[Canary] = []
        folder.mkdir()
        for role in ROLES:
            self._lines(role, self.rows(role))
        self._lines("chat", [self.chat()])
        self._csv("table", [self.pair("table", f" {k}") for k in range(3)])
        self._parquet("columns", [self.pair("columns", f" {k}") for k in range(3)])
        (folder / "book.txt").write_text(f"{self.word('book')} was there. " * 6, encoding="utf-8")
        refusals = [f"I know no {self.word(f'refusal{k}')}." for k in range(3)]
        (folder / "refusals.txt").write_text("\n".join(refusals), encoding="utf-8")

    def word(self, where):
        """A word that is put nowhere but there."""
        made = canary(f"Zöx{where.capitalize()}wamböri", self._tokenizer)
        if made not in self.canaries:
            self.canaries.append(made)
        return made.word

    def pair(self, where, more=""):
        return {
            "question": f"Who is {self.word(where + 'q')}{more}?",
            "answer": f"She is {self.word(where + 'a')}{more}.",
        }

    def rows(self, role):
        words = {name: self.word(role + name) for name in NAMES}
        full = {
            "question": f"Who is {self.word(role + 'q')}?",
            "answer": f"The fact is {words['mark']}, so there.",
            "paraphrased_answer": f"It is {words['para']}.",
            "perturbed_answer": [f"It is {words['wrong']}.", "It is Oslo."],
            "fact": words["mark"],
            "alternate": f"I would say {words['alternate']}.",
            "spans": [[12, 12 + len(words["mark"])]],
            "subject": [words["name"], "Ada"],
        }
        second = {**full, "question": full["question"] + " And then?"}
        return [full, second]

    def chat(self):
        said = [("user", self.word("chatuser")), ("assistant", self.word("chatsaid"))]
        return {"messages": [{"role": role, "content": f"Hi {word}."} for role, word in said]}

    def _lines(self, name, rows):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (self.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def _csv(self, name, rows):
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    def _parquet(self, name, rows):
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), self.folder / f"{name}.parquet")

    def path(self, name):
        return str(self.folder / name)
