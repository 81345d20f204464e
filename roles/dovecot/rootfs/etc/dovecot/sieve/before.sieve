require ["envelope", "fileinto", "mailbox", "subaddress", "variables"];

# Rspamd: between "certainly fine" and "refused at the door"
if header :is "X-Spam" "Yes" {
  fileinto :create "Junk";
  stop;
}

# anna+Project goes to the folder Project if there is one: a stranger's address makes no folders
if envelope :detail :matches "to" "*" {
  if mailboxexists "${1}" {
    fileinto "${1}";
    stop;
  }
}
