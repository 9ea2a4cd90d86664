base:
  '*':
    - catch_up
