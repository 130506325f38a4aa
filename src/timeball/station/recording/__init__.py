"""The ledger on disk and the ways to it: the one store, its journal, clients that append, readers that follow."""
