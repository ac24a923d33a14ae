"""Thousands of histories of trouble between us and a partner, in virtual time, decided by the real decisions.

Replicas crash, freeze and lose their leases; the clock steps; requests are lost, are applied but not answered, or are
applied up to a minute late; the partner moves, forgets and refuses. Then there is peace, and the partner is compared.

    plan, ambushes, trouble      what happens when, drawn from a seed
    history, happenings          plays it, in virtual_time
    replica, lane, settling      what the service does, step by step, by its rules
    network, receiver, evses     the world around it
    memory, sql                  where the rows are: behind the same functions
    judge                        what is wrong
    flaws                        the rules, spoilt on purpose: each must show

A failing test prints its history. To see it again: `python -m tests.simulation SEED`.
"""
