deploy:
  runner.deploy.sync:
    - args:
      - repo: {{ data['data']['repo'] }}
      - tag: {{ data['data']['tag'] }}
