#!py
"""One state for each call that the file named by the pillar holds: id to function and arguments."""

import yaml


def run():
    with open(__pillar__["calls"], encoding="utf-8") as file:
        calls = yaml.safe_load(file)
    return {
        each: {"salt.runner": [{"name": call["function"]}, *({key: value} for key, value in call["arguments"].items())]}
        for each, call in calls.items()
    }
