"""The web page: what the station knows, shown live to people in a control room.

It reads the state folder through `station.status` and nothing else; it has no button that changes anything, so a
hostile console can mislead only those who look at nothing but the console (`timeball status` says the same from the
ledger itself).
"""
