deploy:
  salt.runner:
    - name: deploy.sync
    - repo: {{ pillar['repo'] }}
    - tag: {{ pillar['tag'] }}

told:
  salt.function:
    - name: deploy.status
    - tgt: web1
    - arg: [{{ pillar['repo'] }}]
    - require:
      - salt: deploy
