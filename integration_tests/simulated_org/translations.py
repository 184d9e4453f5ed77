"""Messages in the language of the login user: codes and names stay the same, the text around them changes."""

from __future__ import annotations

import re
from typing import Any, Literal

Language = Literal["en", "de", "ja"]

# What the query compiler puts before its reason: the fragment, the caret and the place.
_PLACE = re.compile(r"\A\n.*\nERROR at Row:\d+:Column:\d+\n", re.DOTALL)
_NAMES = re.compile(r"'[^'\n]+'|\[[^\]\n]+\]|\b\w+__[a-z]\b|\(\d+\)")
_CUSTOM = (
    " Wenn Sie ein benutzerdefiniertes Element verwenden möchten, hängen Sie '__c' an seinen Namen an.",
    "カスタム項目を使用する場合は、カスタム項目名の後に '__c' を付けてください。",
)

# English pattern -> German, Japanese.
_PHRASES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), german, japanese)
    for pattern, german, japanese in (
        (
            r"No such column ('[^']+') on entity ('[^']+')",
            r"Die Spalte \1 ist in der Entität \2 nicht vorhanden." + _CUSTOM[0],
            r"エンティティ \2 に列 \1 が存在しません。" + _CUSTOM[1],
        ),
        (
            r"field ('[^']+') can not be filtered in a query call",
            r"Das Feld \1 kann in einem Abfrageaufruf nicht gefiltert werden",
            r"項目 \1 は、クエリコールで絞り込めません",
        ),
        (r"duplicate field selected: (\w+)", r"Feld doppelt ausgewählt: \1", r"項目が重複して選択されています: \1"),
        (
            r"sObject type ('[^']+') is not supported",
            r"Der sObject-Typ \1 wird nicht unterstützt." + _CUSTOM[0],
            r"sObject 型 \1 はサポートされていません。" + _CUSTOM[1],
        ),
        (
            r"Entity ('[^']+') is not supported by the Bulk API",
            r"Die Entität \1 wird von der Massen-API nicht unterstützt.",
            r"エンティティ \1 は一括 API でサポートされていません。",
        ),
        (
            r"[Ee]ntity type (\w+) does not support query",
            r"Der Entitätstyp \1 unterstützt keine Abfragen",
            r"エンティティ種別 \1 はクエリをサポートしていません",
        ),
        (
            r"Implementation restriction: When querying the (\w+) object",
            r"Implementierungsbeschränkung: Beim Abfragen des Objekts \1 muss ein Filter gesetzt werden",
            r"実装の制限: \1 オブジェクトを照会するには、条件を指定する必要があります",
        ),
        (
            r"Implementation restriction: (\w+) requires a filter",
            r"Implementierungsbeschränkung: \1 muss gefiltert werden",
            r"実装の制限: \1 には条件の指定が必要です",
        ),
        (
            r"(\w+): a filter on a reified column is required (\[[^\]]+\])",
            r"\1: Eine vergegenständlichte Spalte muss gefiltert werden \2",
            r"\1: 具象化された列の条件が必要です \2",
        ),
        (
            r"Where clauses should contain (\w+)",
            r"Die WHERE-Klausel muss \1 enthalten",
            r"WHERE 句には \1 が必要です",
        ),
        (
            r"Selecting compound data not supported in Bulk Query",
            r"Das Auswählen zusammengesetzter Daten wird in Massenabfragen nicht unterstützt",
            r"複合データの選択は一括クエリではサポートされていません",
        ),
        (
            r"Blob field not supported in Bulk V2 Query with CSV content type",
            r"Binärfelder werden in Massenabfragen mit dem Inhaltstyp CSV nicht unterstützt",
            r"CSV の一括クエリではバイナリ項目はサポートされていません",
        ),
        (
            r"Aggregate Relationships not supported in Bulk Query",
            r"Aggregatbeziehungen werden in Massenabfragen nicht unterstützt",
            r"集計リレーションは一括クエリではサポートされていません",
        ),
        (r"Session expired or invalid", r"Sitzung abgelaufen oder ungültig", r"セッションが期限切れか無効です"),
        (
            r"The requested resource does not exist",
            r"Die angeforderte Ressource ist nicht vorhanden",
            r"要求されたリソースは存在しません",
        ),
        (
            r"API is currently disabled for this User",
            r"Die API ist für diesen Benutzer derzeit deaktiviert",
            r"このユーザーの API は現在無効です",
        ),
        (
            r"unexpected token: (.+)",
            r"Unerwartetes Zeichen: \1",
            r"予期しないトークン: \1",
        ),
    )
)
_OTHERWISE: dict[str, str] = {"de": "Die Anforderung wurde abgelehnt.", "ja": "要求は拒否されました。"}


def translate(message: str, language: Language) -> str:
    """Return a message of a data endpoint in the user's language; the names in it are kept."""
    if language == "en":
        return message
    place = _PLACE.match(message)
    start = place.end() if place else 0
    for pattern, german, japanese in _PHRASES:
        found = pattern.search(message, start)
        if found is not None:
            return message[:start] + found.expand(german if language == "de" else japanese)
    names = " ".join(_NAMES.findall(message[start:]))
    return message[:start] + f"{_OTHERWISE[language]} {names}".rstrip()


def translated_body(body: Any, language: Language) -> Any:
    """Return an error body with its messages in a language; anything but an array of errors is left as it is."""
    if language == "en" or not isinstance(body, list):
        return body
    return [
        entry | {"message": translate(str(entry["message"]), language)}
        if isinstance(entry, dict) and {"message", "errorCode"} <= entry.keys()
        else entry
        for entry in body
    ]
