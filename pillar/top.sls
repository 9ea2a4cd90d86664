# The master's own id needs this pillar as well as the targets: the runner reads it there.
base:
  '*':
    - deploy
