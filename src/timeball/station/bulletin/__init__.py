"""Reports of a laboratory: daily, weekly and monthly, from a ledger or from files, as a web page and as PDF.

`record` is what a report is made of, whoever gave it: `ledger_record` reads it from a ledger, `table_record` computes
it from clock comparisons. `contents` turns a record and a `period` into tables and sentences, `figures` draws them,
`page` writes HTML and `sheets` writes PDF. Sign: clocks minus TA(k), and UTC − UTC(k) as the BIPM prints it.

What it does not do: decide anything, or put a number into a report that is not in its source.
"""
