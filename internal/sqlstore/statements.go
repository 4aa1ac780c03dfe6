package sqlstore

// statements are all that the store runs once it is migrated, for Ready to
// hold against the schema. deleteUserAdminLog is missing: its table may be too.
var statements = []string{
	selectUserByName, selectUserByID, insertUser, updateUser, selectIsLastSuperuser,
	deleteUserGroups, deleteUserPermissions, deleteUser, selectUsers, selectNewestUsers,
	stampLogin, moveAuthHash, insertSession, pruneSessions,
	selectIdentity, deleteSession, deleteSessionsOfUser, touchLastSeen, touchExpires,
	selectSessions, selectSessionsOfUser, countSessions,
	selectExpired, selectIdle, selectOrphans, deleteIfOver,
}
