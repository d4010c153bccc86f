package PVE::Multipath::CLI::Explain;

# pvemultipath status --explain: the state of a LUN and its reasons, node by node, in sentences.

use v5.36;

use List::Util qw(uniq);

use PVE::Multipath::CLI::Output qw(terminal_width plural is_count);
use PVE::Multipath::CLI::Reasons qw(cell_reasons lasting note_text causes_of);
use PVE::Multipath::Text qw(safe wrap size by_number);

# "a, b and c"
my sub joined(@texts) {
    my $last = pop @texts;
    return @texts ? join(', ', @texts) . " and $last" : $last;
}

my sub paths_sentence($cell) {
    my ($active, $total, $expected) = $cell->@{qw(paths-active paths-total paths-expected)};
    return () if !is_count($active) || !is_count($total);

    my $text = "$active of " . plural($total, 'path') . ($active == 1 ? ' is' : ' are') . ' active';
    $text .= ", $expected expected" if is_count($expected);
    return "$text.";
}

my sub cell_sentences($node, $cell, $causes, $now) {
    my @reasons = cell_reasons($cell, $causes, {});
    my $lasting = lasting($cell, $now);
    my $state = 'On ' . safe($node) . (length($lasting) ? ' it has been ' : ' it is ') . $cell->{state} . $lasting;
    $state .= ': ' . joined(@reasons) if @reasons;

    my @sentences = ("$state.", paths_sentence($cell));
    push @sentences, map { ucfirst(note_text($_, $cell)) . '.' } ($cell->{notes} // [])->@*;
    return @sentences;
}

my $values = {
    'size-differs' => ['its size', sub($value) { size($value) }],
    'name-differs' => ["its map's name", sub($value) { safe($value) }],
    'transport-differs' => ['its transport', sub($value) { safe($value) }],
    'paths-differ' => ['its number of paths', sub($value) { $value }],
    'write-protection-differs' =>
        ['its write protection', sub($value) { $value ? 'read-only' : 'writable' }],
};

# "the nodes disagree about its size: 1 GiB on pve1 and pve2, 2 GiB on pve3"
sub disagreement_text($note) {
    my $known = $values->{ $note->{code} } // return safe($note->{code});
    my ($what, $render) = @$known;

    my $by_node = $note->{values};
    my @nodes = by_number([keys %$by_node]);
    my @groups;
    for my $value (uniq(map { $render->($by_node->{$_}) } @nodes)) {
        my @who = map { safe($_) } grep { $render->($by_node->{$_}) eq $value } @nodes;
        push @groups, "$value on " . joined(@who);
    }
    return "the nodes disagree about $what: " . join(', ', @groups);
}

# Whether it is the storage of 'used-by' with the LUN as its base. Where nodes have found
# uses, 'used-by' may say these instead.
my sub is_base($use, $lun) {
    return ($use->{how} // '') eq 'base' && $use->{storage} eq ($lun->{'used-by'} // '');
}

# The uses that the first sentence does not tell.
my sub use_sentences($lun, $obstacles) {
    return map {
        my ($node, $uses) = $_->@{qw(node uses)};
        defined($uses)
            ? 'On ' . safe($node) . ' it is used: ' . joined(map { safe($_->{text}) } @$uses) . '.'
            : ucfirst(safe($_->{text})) . (defined($node) ? '.' : ' uses it.')
    } grep { !is_base($_, $lun) } @$obstacles;
}

# The lines of --explain, ending in $node_lines about the nodes themselves. $causes are those of the cluster's
# status; $obstacles are what uses the LUN, as PVE::Multipath::Uses::of_cluster() returns them.
sub lines($lun, $causes, $now, $node_lines, $obstacles = []) {
    my $width = terminal_width();
    my $wrap = sub(@sentences) { wrap(join(' ', @sentences), $width, '    ') };

    my $name = safe($lun->{wwid});
    $name .= ' (' . safe($lun->{alias}) . ')' if defined($lun->{alias});
    my @head = ("$name is $lun->{'cluster-state'}.");
    push @head, 'Its size is ' . size($lun->{size}) . '.'
        if defined($lun->{size});
    push @head, "The storage '" . safe($lun->{'used-by'}) . "' uses it."
        if defined($lun->{'used-by'}) && (!@$obstacles || grep { is_base($_, $lun) } @$obstacles);

    my @lines = $wrap->(@head);
    push @lines, map { $wrap->($_) } use_sentences($lun, $obstacles);
    push @lines, map { $wrap->('Cause: ' . safe($_->{text}) . '.') }
        uniq(map { causes_of($_, $causes) } values $lun->{nodes}->%*);
    my @nodes = by_number([keys $lun->{nodes}->%*]);
    push @lines, $wrap->('No node reports it, and it is not expected on any node.') if !@nodes;
    push @lines, map { $wrap->(cell_sentences($_, $lun->{nodes}->{$_}, $causes, $now)) } @nodes;

    my @unknown = grep { $lun->{nodes}->{$_}->{state} eq 'unknown' } @nodes;
    push @lines, $wrap->(
        'Nodes in state unknown are ignored: the state of the LUN is the worst one on the other nodes.')
        if @unknown && @unknown < @nodes;
    push @lines, map { $wrap->(ucfirst(disagreement_text($_)) . '.') } ($lun->{notes} // [])->@*;
    return (@lines, @$node_lines);
}

1;
