/* "Delegation..." of a mailbox: rights on mail are the directory's, so it could not keep what it promises. SOGo has no
   setting that leaves it out. */
document.head.insertAdjacentHTML(
  "beforeend",
  '<style>md-menu-item:has([ng-click="app.delegate(account)"]) { display: none }</style>'
);
