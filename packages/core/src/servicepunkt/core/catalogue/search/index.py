"""A searchable index of one catalogue, in memory, on tantivy: what was typed becomes words with weights, never a query
language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice, pairwise, product
from math import prod

import msgspec
import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from servicepunkt.core.catalogue.search.compounds import Splitter
from servicepunkt.core.catalogue.search.german import family, stem
from servicepunkt.core.catalogue.search.synonyms import Meaning, Stems, Thesaurus
from servicepunkt.core.catalogue.search.words import STOP_WORDS, WEAK_WORDS, fold, words

MAX_QUERY, MAX_WORDS = 200, 12
#: How much a word counts that stands in a field, and how much where it is a part of a compound there.
FIELDS = {"name": 6.0, "keywords": 2.5, "summary": 1.5, "body": 0.7}
PART = 0.5
#: How certain it is that a word of the same family, the nearest known word, one that holds the typed one,
#: or one that is held by it was meant.
FAMILY, TYPO, WITHIN, HELD = 0.8, 0.7, 0.6, 0.5
#: How much a word counts that fits services of any kind, and that two words meet in one service.
WEAK, TOGETHER = 0.4, 0.5
LESS = 0.65  # how certain a part of a meaning is
LEAST, MOST_LONGER = 5, 20  # letters of a word that may be part of another one, and how many such words count
MOST_READINGS = 12  # of a word that is taken apart
HEAP = 15_000_000  # bytes that tantivy wants at least for writing


_WEAK = frozenset(map(fold, WEAK_WORDS))
_WEAK_STEMS = frozenset(map(stem, _WEAK))


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched of a service: plain text in all of its languages; `keywords` are also those that nobody sees."""

    id: str
    name: str
    keywords: Sequence[str] = ()
    summary: str = ""
    body: str = ""


class Found(msgspec.Struct, frozen=True):
    """A document, and how well it fits beside the others that were found with it."""

    id: str
    score: float


class Answer(msgspec.Struct, frozen=True):
    """What was found, the best first; `meant` are words that were typed otherwise than they are known."""

    found: list[Found]
    meant: dict[str, str]


class Index:
    """Built once for a revision, read by everybody."""

    def __init__(self, documents: Iterable[Document], thesaurus: Thesaurus) -> None:
        self._thesaurus = thesaurus
        # Each text is taken apart once, and each word folded once: a catalogue has few words, and says them often.
        written = [(one.id, _words_of(one)) for one in documents]
        folds = {word: fold(word) for word in {word for _, fields in written for some in fields for word in some}}
        folded = [(name, [[folds[word] for word in some] for some in fields]) for name, fields in written]
        counts = Counter(word for _, fields in folded for some in fields for word in some)
        # How a word is written that is shown to people, by how it is compared.
        self._written = thesaurus.written | {
            folds[word]: word for _, fields in written for some in fields for word in some
        }
        known = Counter(counts)
        known.update(dict.fromkeys(thesaurus.words, 2))
        self._splitter = Splitter(known)
        self._long = [word for word in known if len(word) >= LEAST]
        self._vocabulary = [word for word in counts if len(word) > 2 and not word.isdigit()]
        self._stems = {stem(word) for word in counts}
        self._stems |= {part for word in counts for part in map(stem, self._splitter.parts(word))}
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
        for field in FIELDS:
            builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
            builder.add_text_field(f"{field}_parts", tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        writer = self._index.writer(HEAP, 1)
        for name, fields in folded:
            writer.add_document(tantivy.Document(**self._analysed(name, fields)))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()
        self._sayings = [
            word
            for word in thesaurus.words
            if len(word) > LEAST and word not in counts and self._is_known(dict(self._alternatives(word)))
        ]

    def _analysed(self, name: str, fields: Iterable[Sequence[str]]) -> dict[str, list[str]]:
        made = {"id": [name]}
        for field, whole in zip(FIELDS, fields, strict=True):
            made[field] = [" ".join(token for word in whole for token in _tokens(word))]
            parts = [part for word in whole for part in self._splitter.parts(word)]
            made[f"{field}_parts"] = [" ".join(token for part in parts for token in _tokens(part))]
        return made

    def search(self, query: str, *, limit: int = 10) -> Answer:
        """Find services; the query is whatever somebody typed, and is never read as a language."""
        typed = words(query[:MAX_QUERY])[:MAX_WORDS]
        asked = [word for word in typed if word not in STOP_WORDS] or typed
        folded = [fold(word) for word in asked]
        if not folded:
            return Answer([], {})
        stems = [stem(word) for word in folded]
        weak = [fold(word) in _WEAK and len(asked) > 1 for word in asked]
        meant: dict[str, str] = {}
        groups = []
        for at, word in enumerate(folded):
            alternatives = dict(self._alternatives(word))
            if not self._is_known(alternatives):
                if nearest := self._nearest(word):
                    meant[asked[at]] = self._written.get(nearest, nearest)
                    weak[at] = nearest in _WEAK and len(asked) > 1
                    alternatives |= {terms: weight * TYPO for terms, weight in self._alternatives(nearest)}
                alternatives |= self._guesses(word, nearest)
            group = self._any_of(alternatives.items())
            groups.append(tantivy.Query.boost_query(group, WEAK) if weak[at] else group)
        clauses = [(tantivy.Occur.Should, group) for group in groups]
        clauses += [(tantivy.Occur.Should, self._term(*meaning)) for meaning in self._phrases(stems, weak)]
        clauses += [(tantivy.Occur.Should, group) for group in self._joined(folded, stems)]
        # Two words that meet in a service say more than each alone.
        for pair in combinations(groups, 2):
            both = tantivy.Query.boolean_query([(tantivy.Occur.Must, group) for group in pair])
            clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(both, TOGETHER / (len(groups) - 1))))
        hits = self._searcher.search(tantivy.Query.boolean_query(clauses), limit).hits
        return Answer([Found(self._searcher.doc(address)["id"][0], score) for score, address in hits], meant)

    def _alternatives(self, word: str) -> Iterator[tuple[Stems, float]]:
        """What a word stands for: stems that occur together, and how certain that is."""
        found = stem(word)
        yield (found,), 1.0
        if root := family(word):
            yield (stem(root),), FAMILY
        for meaning in self._meanings((found,)):
            yield meaning.stems, meaning.weight

    def _meanings(self, stems: Stems) -> Iterator[Meaning]:
        """What words in a row may mean; of several words together also that which says what it is: the last one, but
        for what is done with it."""
        for meaning in self._thesaurus.meanings(stems):
            yield meaning
            telling = [one for one in meaning.stems if one not in _WEAK_STEMS]
            if len(meaning.stems) > 1 and telling:
                yield Meaning((telling[-1],), meaning.weight * LESS)

    def _guesses(self, word: str, nearest: str | None) -> dict[Stems, float]:
        """What an unknown word may stand for: its parts, words that hold it, words with which it begins or ends."""
        found: dict[Stems, float] = {}
        if parts := self._splitter.parts(word):
            meant = [list(self._alternatives(part)) for part in parts]
            for each in islice(product(*meant), MOST_READINGS):
                terms = tuple(dict.fromkeys(one for stems, _ in each for one in stems))
                found.setdefault(terms, 0.9 * prod(weight for _, weight in each))
            for ends, share in ((meant[-1], 0.5), (meant[0], 0.35)):
                for terms, weight in ends:
                    found.setdefault(terms, weight * share)
        if nearest is None and len(word) >= LEAST:
            found |= {(stem(one),): WITHIN for one in self._holding(word)[:MOST_LONGER]}
            if not found:
                for one in self._held_by(word):
                    found |= {terms: weight * HELD for terms, weight in self._alternatives(one)}
        return found

    def _holding(self, word: str) -> list[str]:
        """Known words that begin or end with this one."""
        begin = word.removesuffix("e")
        return sorted(one for one in self._vocabulary if one.startswith(begin) or one.endswith(word))

    def _held_by(self, word: str) -> list[str]:
        """The longest known word with which this one begins, and the longest with which it ends."""
        begins = [one for one in self._long if word.startswith(one.removesuffix("e"))]
        ends = [one for one in self._long if word.endswith(one)]
        return [max(found, key=len) for found in (begins, ends) if found]

    def _is_known(self, alternatives: Iterable[Stems]) -> bool:
        return any(all(one in self._stems for one in terms) for terms in alternatives)

    def _nearest(self, word: str) -> str | None:
        """The known word that was probably meant: one slip in a short word, two in a long one."""
        if len(word) < 4 or not word.isalpha() or word in self._thesaurus.words:
            return None
        slips = 1 if len(word) < 8 else 2
        # (slips, another first letter, letters more or fewer, word): people seldom get the first letter wrong. Words
        # that only mean something here come after those that stand here.
        for known_words in (self._vocabulary, self._sayings):
            best = process.extract(word, known_words, scorer=OSA.distance, score_cutoff=slips, limit=10)
            near = [(far, known[0] != word[0], abs(len(known) - len(word)), known) for known, far, _ in best]
            if likely := [one for one in near if one[0] == 1 or not one[1]]:
                return min(likely)[3]
        return None

    def _joined(self, folded: Sequence[str], stems: Sequence[str]) -> Iterator[tantivy.Query]:
        """Two words that are one where they are known, as melde bescheinigung; not those that mean something as two."""
        for two, (first, second) in zip(pairwise(stems), pairwise(folded), strict=True):
            for link in ("", "s"):
                alternatives = dict(self._alternatives(first + link + second))
                if self._is_known(alternatives) and not self._thesaurus.meanings(two):
                    yield self._any_of((terms, 2 * weight) for terms, weight in alternatives.items())

    def _phrases(self, stems: list[str], weak: list[bool]) -> Iterator[tuple[Stems, float]]:
        """What several words in a row stand for, and how much it counts beside single words."""
        for size in range(2, min(self._thesaurus.longest, len(stems)) + 1):
            for start in range(len(stems) - size + 1):
                strength = sum(WEAK if one else 1.0 for one in weak[start : start + size])
                if all(weak[start : start + size]):
                    continue
                for meaning in self._meanings(tuple(stems[start : start + size])):
                    yield meaning.stems, meaning.weight * strength

    def _any_of(self, alternatives: Iterable[tuple[Stems, float]]) -> tantivy.Query:
        return tantivy.Query.disjunction_max_query([self._term(terms, weight) for terms, weight in alternatives], 0.1)

    def _term(self, terms: Stems, weight: float) -> tantivy.Query:
        each = [self._anywhere(one, weight / len(terms)) for one in terms]
        return each[0] if len(each) == 1 else tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in each])

    def _anywhere(self, term: str, weight: float) -> tantivy.Query:
        found = []
        for field, boost in FIELDS.items():
            for name, share in ((field, 1.0), (f"{field}_parts", PART)):
                query = tantivy.Query.term_query(self._schema, name, term, "freq")
                found.append(tantivy.Query.boost_query(query, weight * boost * share))
        return tantivy.Query.disjunction_max_query(found, 0.2)


def _words_of(document: Document) -> list[list[str]]:
    """The words of each of `FIELDS`."""
    values = [getattr(document, field) for field in FIELDS]
    return [
        [word for text in ([value] if isinstance(value, str) else value) for word in words(text)] for value in values
    ]


def _tokens(word: str) -> tuple[str, ...]:
    """What stands in the index for a word: its stem, and what stands for its family."""
    found, root = stem(word), family(word)
    return (found,) if root is None or stem(root) == found else (found, stem(root))
