package sqlstore

// statements are all that the store runs once it is migrated, for Ready to
// hold against the schema. deleteUserAdminLog is missing: its table may be too.
var statements = []string{
	selectUserByName, selectUserByID, insertUser, updateUser, selectIsLastSuperuser,
	deleteUserGroups, deleteUserPermissions, deleteUser, selectUsers, selectNewestUsers,
	selectRecentHashes,
	stampLogin, moveAuthHash, insertSession, pruneSessions,
	selectIdentity, deleteSession, deleteSessionsOfUser, touchLastSeen, touchExpires,
	selectSessions, selectSessionsOfUser, countSessions,
	selectSessionPage + sessionsOf + byCreated, selectSessionPage + byCreatedBack, selectSessionPage + bySeen, selectSessionPage + bySeenBack,
	selectSessionStop, selectSessionStopBack,
	selectManySessions, countLiveSessions,
	pickInactive, pickStaff, pickSuperusers, pickGroup, pickAlgorithm, pickJoined, pickLastLogin, pickNeverLogged,
	pickUsername, pickEmail, pickFirstName, pickLastName,
	editUser, selectIsSuperuser, insertUserGroups, deleteOtherGroups, countGroupsAmong,
	insertUserPermissions, deleteOtherPermissions, countPermissionsAmong,
	setActive, selectLosesSuperusers, selectHasSuperuser, deleteSessionsOfUsers,
	selectPermissions, selectPermissionsOfGroup, selectPermissionsOfUser, selectAllPermissionsOfUser, selectGroupsOfUser,
	selectGroups, selectGroupsBefore, selectGroup, insertGroup, renameGroup, deleteGroup, selectAGroup,
	deleteGroupMembers, deleteGroupPermissions, deleteOtherOfGroup, insertGroupPermissions,
	reportNode, deleteSilentNodes, deleteNode, selectNodes,
	insertAudit, selectAudit, countAudit, sweepAudit,
	selectExpired, selectIdle, selectOrphans, deleteIfOver,
}
