-- What the version before migration 00008 wrote, with values in place of parameters.
-- A later schema must still take it: during an upgrade both versions run.

insert into auth_user (username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined) values ('ann', 'ann@example.com', '', '', '!', true, false, false, null, '2026-01-01 00:00:00') on conflict (username) do nothing returning id;

insert into auth_group (name) values ('editors') on conflict (name) do nothing returning id;

insert into auth_user_groups (user_id, group_id) select u.id, g.id from auth_group g, auth_user u where u.username = 'ann' and not exists (select 1 from auth_user_groups o where o.user_id = u.id and o.group_id = g.id);

insert into auth_user_user_permissions (user_id, permission_id) select u.id, p.id from auth_permission p, auth_user u where u.username = 'ann' and not exists (select 1 from auth_user_user_permissions o where o.user_id = u.id and o.permission_id = p.id);

insert into auth_group_permissions (group_id, permission_id) select g.id, p.id from auth_permission p, auth_group g where g.name = 'editors' and not exists (select 1 from auth_group_permissions o where o.group_id = g.id and o.permission_id = p.id);

update auth_user set last_login = '2026-01-02 00:00:00', password = '!' where username = 'ann' and password = '!' and is_active;

insert into postern_session (id, user_id, auth_hash, csrf_secret, created, last_seen, expires, address, user_agent) select '\x00'::bytea, u.id, 'hash', 'secret', now(), now(), now(), '192.0.2.1', 'agent' from auth_user u where u.username = 'ann';

insert into postern_audit (at, act, actor_id, actor_name, target_id, target_name, source, address, user_agent, detail) select now(), 'login', u.id, 'ann', u.id, 'ann', 'api', '192.0.2.1', 'agent', '' from auth_user u where u.username = 'ann';

insert into postern_node (id, name, version, started, seen, problems) values ('one', 'one', 'v0', now(), now(), '') on conflict (id) do update set seen = excluded.seen, problems = excluded.problems;

update postern_session set auth_hash = 'other' where auth_hash = 'hash';

update auth_user set is_active = false where username = 'ann';

delete from postern_session where auth_hash = 'other';

delete from auth_user_groups where user_id in (select id from auth_user where username = 'ann');

delete from auth_user_user_permissions where user_id in (select id from auth_user where username = 'ann');

delete from auth_user where username = 'ann';

delete from postern_node where id = 'one';
