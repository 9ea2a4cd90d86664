# The page that shows deploys, for the host of salt-api; docs/web.md says what salt-api needs to serve it.

page of deploys:
  file.recurse:
    - name: /usr/local/share/saltext-deploy/page
    - source: salt://deploy/page
    - clean: True
    - dir_mode: '0755'
    - file_mode: '0644'
