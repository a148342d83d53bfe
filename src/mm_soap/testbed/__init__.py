"""The exploratory test bed: it takes messages from anybody with a certificate of its own authority, shows what arrived
step by step, and forgets it after a day.

What is here is not for others to build on; the pages over it are in `mm_soap.web`, and what builds it is in
`mm_soap.bootstrap_testbed`.
"""
